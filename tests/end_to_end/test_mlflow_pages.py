"""MLflow's pages in a real browser: the format of prepared views is undocumented."""

import dataclasses

import pytest
from page_studies import FRONT, OTHERS, SEEDS, STUDY, bring, record, with_size

from benchmarks.services.service import free_port
from tuner.analysis.results import Results
from tuner.records import TrialState
from tuner.tracking.pages import view_id
from tuner.tracking.server import serve
from tuner.tracking.tracker import pages

pytestmark = pytest.mark.end_to_end

POINTS = ".scatterlayer .points path"
WAIT = 120_000  # milliseconds


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Links into two studies: twelve trials, five on the front, two that did not end; and seeds."""
    folder = tmp_path_factory.mktemp("runs")
    trials = [record(number) for number in FRONT + OTHERS]
    trials += [record(10, TrialState.stopped, epochs=2), record(11, TrialState.failed, epochs=1)]
    uri = bring(Results(STUDY, trials), folder / "digits")
    seeds = [with_size(record(0)), dataclasses.replace(with_size(record(1)), repeats=0)]
    bring(Results(SEEDS, [*seeds, with_size(record(4))]), folder / "seeds")
    with serve(uri, free_port()) as base:
        yield {
            "digits": pages(STUDY, folder / "digits", uri, base=base),
            "seeds": pages(SEEDS, folder / "seeds", uri, base=base),
        }


@pytest.fixture
def links(served):
    """Links into the study of twelve trials."""
    return served["digits"]


@pytest.fixture
def page(chromium):
    """A browser that has never seen MLflow, and that reaches nothing but this machine."""
    context = chromium.new_context(viewport={"width": 1900, "height": 1000})
    context.route("**/*", only_here)
    page = context.new_page()
    page.set_default_timeout(WAIT)
    yield page
    context.close()


def only_here(route):
    if "//127.0.0.1:" in route.request.url:
        route.continue_()
    else:
        route.abort()


def settle(page, chart):
    """Wait until a chart is drawn."""
    page.locator(chart).first.wait_for(state="visible")


def view(links, kind):
    """The address of another view of the same study."""
    return links.front.replace(view_id("front", ""), view_id(kind, ""))


def artifact(links, path):
    """The address at which MLflow shows a file of the study."""
    return links.study.replace("?", f"/artifacts/{path}?")


def test_the_prepared_view_shows_every_complete_trial_and_the_front_in_red(page, links):
    page.goto(links.front)
    settle(page, POINTS)

    colours = page.locator(POINTS).evaluate_all(
        "points => points.map(point => getComputedStyle(point).fill)"
    )

    assert sorted(colours) == ["rgb(176, 176, 176)"] * 5 + ["rgb(214, 39, 40)"] * 5
    assert page.get_by_text("final/clean_accuracy vs. final/robust_accuracy").is_visible()
    assert page.get_by_text("10 matching runs").is_visible()


def test_a_config_with_two_seeds_is_one_point_and_three_objectives_are_three_charts(page, served):
    page.goto(served["seeds"].front)
    settle(page, POINTS)
    chart = page.locator(".js-plotly-plot").first

    assert page.get_by_text("2 matching runs").is_visible()
    assert chart.locator(POINTS).count() == 2
    assert page.get_by_text("mean/clean_accuracy vs. mean/robust_accuracy").is_visible()
    assert page.get_by_text("mean/clean_accuracy vs. mean/parameters").is_visible()


def test_the_view_of_the_front_alone_shows_nothing_else(page, links):
    page.goto(view(links, "best"))
    settle(page, POINTS)

    assert page.locator(POINTS).count() == len(FRONT)


def test_the_view_of_the_weights_shows_them_beside_the_objectives(page, links):
    page.goto(view(links, "weights"))
    settle(page, ".parcoords")

    axes = page.locator(".parcoords .dimension .label").all_text_contents()
    lines = page.get_by_text("10 matching runs")
    assert axes[:4] == ["log10/alpha", "log10/beta", "log10/gamma", "log10/lambda"]
    assert len(axes) == 4 + 2
    assert lines.is_visible()


def test_the_view_of_learning_curves_shows_stopped_trials_too(page, links):
    page.goto(view(links, "curves"))
    settle(page, ".scatterlayer .lines path")

    chart = page.locator(".js-plotly-plot").first
    assert chart.locator(".scatterlayer .trace").count() == 2 * 12  # a band and a line each
    assert page.get_by_text("val/robust_accuracy", exact=True).first.is_visible()


def test_the_view_of_differences_lists_what_differs_and_nothing_else(page, links):
    page.goto(view(links, "differences"))
    table = page.locator("[data-testid=experiment-view-compare-runs-card]")
    table.get_by_text("gram").first.wait_for()
    settings = table.inner_text()

    assert page.get_by_text("5 matching runs").is_visible()
    assert "logits" in settings
    assert "threat" not in settings


def test_the_runs_of_the_front_open_side_by_side(page, links):
    page.goto(links.compare)
    page.get_by_text("Comparing 5 Runs from 1 Experiment").wait_for()

    shown = page.locator("body").inner_text()
    assert all(f"trial {number}: wide" in shown for number in FRONT)
    assert "trial 1: wide" not in shown


def test_the_studys_run_links_to_its_views(page, links):
    page.goto(links.study)
    link = page.get_by_role("link", name="Pareto front: clean vs robust accuracy")
    link.wait_for()

    page.goto(page.url.partition("#")[0] + link.get_attribute("href"))
    settle(page, POINTS)

    assert page.locator(POINTS).count() == len(FRONT + OTHERS)


def test_the_studys_run_lists_its_front_with_a_link_to_every_member(page, links):
    page.goto(links.study)
    page.get_by_text("Show more").first.click()
    front = page.locator("table", has_text="teacher > student")
    names = front.get_by_role("link").all_inner_texts()

    with page.context.expect_page() as opened:
        front.get_by_role("link", name="trial 4").click()
    opened.value.get_by_role("heading", name="trial 4: wide > cifar_resnet18").wait_for()

    assert names == [f"trial {number}" for number in FRONT]


def test_a_point_of_the_front_leads_to_its_run_in_a_new_tab(page, links):
    page.goto(artifact(links, "front/front.html"))
    frame = page.frame_locator("iframe")
    point = frame.locator("svg .mark[data-trial='4']")
    point.wait_for()
    marks = frame.locator("svg g.mark").count()

    point.click()
    chosen = frame.locator("tr.chosen").get_attribute("data-trial")
    with page.context.expect_page() as opened:
        point.click(modifiers=["Control"])
    run = opened.value
    run.get_by_role("heading", name="trial 4: wide > cifar_resnet18").wait_for(timeout=WAIT)

    assert marks == len(FRONT + OTHERS)
    assert chosen == "4"
    assert frame.locator("#in-mlflow").is_visible()


def test_the_parameters_are_drawn_and_a_line_leads_to_its_run(page, links):
    page.goto(artifact(links, "front/parallel.html"))
    frame = page.frame_locator("iframe")
    frame.locator("svg g.mark.line").first.wait_for()

    number = frame.locator("tr[data-trial='6'] a.run")
    address = number.get_attribute("href")
    assert frame.locator("svg g.mark.line").count() == len(FRONT + OTHERS)
    assert address.startswith(links.study.partition("#")[0] + "#/experiments/")


def test_pictures_and_tables_of_the_study_are_shown(page, links):
    page.goto(artifact(links, "front/hypervolume.png"))
    picture = page.locator("img[src^='blob:'], img[src*='artifact'], .image-outer-container img")
    picture.first.wait_for()
    width = picture.first.evaluate("picture => picture.naturalWidth")
    page.goto("about:blank")  # MLflow does not notice that another file is asked for
    page.goto(artifact(links, "failures/table.json"))
    page.get_by_text("loss is nan").first.wait_for()

    names = page.locator("body").inner_text()
    assert width > 1000
    assert all(name in names for name in ("differences", "failures", "front", "report.html"))


def test_the_hypervolume_is_a_curve_on_the_studys_run(page, links):
    page.goto(links.study.replace("?", "/model-metrics?"))
    page.get_by_placeholder("Search metric charts").fill("hypervolume")
    charts, points = page.locator(".js-plotly-plot"), page.locator(POINTS)
    page.wait_for_function("document.querySelectorAll('.js-plotly-plot').length === 1")
    settle(page, ".scatterlayer .points path")

    assert (charts.count(), points.count()) == (1, len(FRONT + OTHERS))
