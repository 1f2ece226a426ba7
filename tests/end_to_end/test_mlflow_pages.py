"""MLflow's pages in a real browser: the format of prepared views is undocumented."""

import os
import shutil
from datetime import UTC, datetime, timedelta

import pytest

from trainables.config import TrialConfig
from tuner.front_html import front_html
from tuner.mlflow_server import serve
from tuner.records import TrialRecord, TrialState
from tuner.results import Results
from tuner.study import StudyConfig
from tuner.tracking import Publication, default_uri, pages, sync

pytestmark = pytest.mark.end_to_end

# Everything that Chromium would do by itself is off: no GPU, no network of its own.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
ARGUMENTS += ["--disable-component-update", "--disable-sync"]
STARTED = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
STUDY = StudyConfig(name="digits", description="Small students on 8x8 digits.")
FRONT = [0, 2, 4, 6, 8]
OTHERS = [1, 3, 5, 7, 9]
POINTS = ".scatterlayer .points path"
WAIT = 20_000  # milliseconds


def record(number, state=TrialState.complete, epochs=4):
    """A trial that trades clean for robust accuracy; odd ones are a little worse at both."""
    config = TrialConfig().model_dump(mode="json")
    config["alignments"] |= {"gram": {"weight": 0.01 * 1.5**number}}
    config["alignments"] |= {"logits": {"weight": 0.2 + 0.3 * number}}
    worse = 0.03 * (number % 2)
    clean, robust = 0.95 - 0.01 * number - worse, 0.3 + 0.02 * number - worse
    reports = tuple(
        {
            "epoch": epoch,
            "timestamp": 1000 * int((STARTED + timedelta(seconds=epoch)).timestamp()),
            "train/loss": 2 / epoch,
            "val/clean_accuracy": clean * (1 - 0.5**epoch),
            "val/robust_accuracy": robust * (1 - 0.5**epoch),
        }
        for epoch in range(1, epochs + 1)
    )
    return TrialRecord(
        number,
        state,
        "searched",
        "wide",
        config,
        reports=reports,
        values={"val/clean_accuracy": clean, "val/robust_accuracy": robust}
        if state is TrialState.complete
        else {},
        started=STARTED + timedelta(minutes=number),
        ended=STARTED + timedelta(minutes=number + 3),
    )


@pytest.fixture(scope="module")
def links(tmp_path_factory):
    """Links into the pages of a study of twelve trials: five on the front, two that did not end."""
    directory = tmp_path_factory.mktemp("runs") / "digits"
    trials = [record(number) for number in FRONT + OTHERS]
    trials += [record(10, TrialState.stopped, epochs=2), record(11, TrialState.failed, epochs=1)]
    page = front_html(Results(STUDY, trials))
    (directory / "front").mkdir(parents=True)
    (directory / "front" / "front.html").write_text(page)
    (directory / "report.html").write_text("<h1>The report</h1>")
    ranks = {number: int(number in OTHERS) for number in FRONT + OTHERS}
    table = {"columns": ["trial", "clean"], "data": [[number, 0.9] for number in FRONT]}
    result = Publication(directory / "front", {"hypervolume": 0.4}, ranks, table)
    uri = default_uri(directory)
    sync(STUDY, directory, uri, trials, publication=result, status="FINISHED")
    with serve(uri) as base:
        yield pages(STUDY, directory, uri, base=base)


@pytest.fixture(scope="module")
def chromium():
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
    if path is None and os.environ.get("CI") == "true":
        pytest.fail("CI has to look at MLflow's pages, but there is no chromium")
    if path is None:
        pytest.skip("there is no chromium to look at MLflow's pages with; install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium):
    """A browser that has never seen MLflow, and that reaches nothing but this machine."""
    context = chromium.new_context(viewport={"width": 1500, "height": 900})
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


def test_the_prepared_view_shows_every_complete_trial_and_the_front_in_red(page, links):
    page.goto(links.front)
    settle(page, POINTS)

    colours = page.locator(POINTS).evaluate_all(
        "points => points.map(point => getComputedStyle(point).fill)"
    )

    assert sorted(colours) == ["rgb(176, 176, 176)"] * 5 + ["rgb(214, 39, 40)"] * 5
    assert page.get_by_text("final/clean_accuracy vs. final/robust_accuracy").is_visible()
    assert page.get_by_text("10 matching runs").is_visible()


def test_the_view_of_the_front_alone_shows_nothing_else(page, links):
    page.goto(links.front.replace("viewStateShareKey=front-", "viewStateShareKey=best-"))
    settle(page, POINTS)

    assert page.locator(POINTS).count() == len(FRONT)


def test_the_view_of_the_weights_shows_them_beside_the_objectives(page, links):
    page.goto(links.front.replace("viewStateShareKey=front-", "viewStateShareKey=weights-"))
    settle(page, ".parcoords")

    axes = page.locator(".parcoords .dimension .label").all_text_contents()
    assert axes[:5] == ["alpha", "beta", "gamma", "lambda", "mu"]
    assert len(axes) == 5 + 2


def test_the_view_of_learning_curves_shows_stopped_trials_too(page, links):
    page.goto(links.front.replace("viewStateShareKey=front-", "viewStateShareKey=curves-"))
    settle(page, ".scatterlayer .lines path")

    chart = page.locator(".js-plotly-plot").first
    assert chart.locator(".scatterlayer .trace").count() == 2 * 12  # a band and a line each
    assert page.get_by_text("val/robust_accuracy", exact=True).first.is_visible()


def test_the_studys_run_links_to_its_views(page, links):
    page.goto(links.study)
    link = page.get_by_role("link", name="Pareto front: clean vs robust accuracy")
    link.wait_for()

    page.goto(page.url.partition("#")[0] + link.get_attribute("href"))
    settle(page, POINTS)

    assert page.locator(POINTS).count() == len(FRONT + OTHERS)


def test_the_studys_run_holds_files_and_draws_the_front(page, links):
    page.goto(links.study.replace("?", "/artifacts/front/front.html?"))
    drawing = page.frame_locator("iframe").locator("svg").first
    drawing.wait_for()

    names = page.get_by_role("treeitem").all_inner_texts() or page.locator("body").inner_text()
    marks = page.frame_locator("iframe").locator("svg g.mark").count()

    assert "report.html" in str(names)
    assert "table.json" in str(names)
    assert marks == len(FRONT + OTHERS)
