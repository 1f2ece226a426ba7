"""Prepared views and the text above a study's run, against a real SQLite store."""

import base64
import json
import tempfile
import zlib
from pathlib import Path

import pytest
from make_records import make_record, make_study

from tuner.analysis.results import Results
from tuner.tracking.client import MlflowException, connect
from tuner.tracking.note import NOTE, Findings, note, write_note
from tuner.tracking.pages import view_id
from tuner.tracking.study import MlflowStudy
from tuner.tracking.tracker import default_uri
from tuner.tracking.views import TAG, names, searched_weights, write

KINDS = ["front", "best", "differences", "weights", "curves"]


@pytest.fixture
def opened(shared):
    """Opens a study in a directory of its own, with its views."""

    def open_study(directory=None, **settings):
        directory = directory or Path(tempfile.mkdtemp(dir=shared))
        mlflow = MlflowStudy(connect(default_uri(directory)), make_study(**settings), directory)
        write(mlflow.client, mlflow.experiment_id, mlflow.run_id, mlflow.study, name=mlflow.name)
        return mlflow

    return open_study


def tags(mlflow):
    """The saved views by kind."""
    there = mlflow.client.get_experiment(mlflow.experiment_id).tags
    return {kind: there.get(TAG + view_id(kind, mlflow.run_id)) for kind in KINDS}


def state(packed):
    """What MLflow's page makes of a view."""
    content = json.loads(packed)["state"].removeprefix("deflate;")
    return json.loads(zlib.decompress(base64.b64decode(content)))


def text(mlflow):
    return mlflow.client.get_run(mlflow.run_id).data.tags.get(NOTE)


def objectives(*metrics):
    return [{"metric": metric, "direction": direction} for metric, direction in metrics]


THREE = objectives(
    ("val/clean_accuracy", "maximize"),
    ("val/robust_accuracy", "maximize"),
    ("student/parameters", "minimize"),
)


def test_a_study_has_prepared_views_that_fit_into_a_tag(opened):
    packed = tags(opened())

    assert {kind: json.loads(view)["name"] for kind, view in packed.items()} == {
        "front": "Pareto front: clean vs robust accuracy",
        "best": "Front only",
        "differences": "Differences among the front",
        "weights": "Weights against objectives",
        "curves": "Learning curves",
    }
    assert max(map(len, packed.values())) < 5_000


def test_three_objectives_are_drawn_in_pairs(opened):
    packed = tags(opened(name="three", objectives=THREE))["front"]

    charts = state(packed)["compareRunCharts"]
    assert json.loads(packed)["name"] == "Pareto front: clean vs robust accuracy vs parameters"
    assert [(chart["xaxis"]["key"], chart["yaxis"]["key"]) for chart in charts] == [
        ("final/clean_accuracy", "final/robust_accuracy"),
        ("final/clean_accuracy", "final/parameters"),
        ("final/robust_accuracy", "final/parameters"),
    ]


def test_a_single_objective_is_a_bar_per_trial(opened):
    packed = tags(opened(objectives=objectives(("val/robust_accuracy", "maximize"))))["front"]

    (chart,) = state(packed)["compareRunCharts"]
    assert (chart["type"], chart["metricKey"]) == ("BAR", "final/robust_accuracy")


def test_of_a_config_with_several_seeds_a_view_shows_one_point_at_its_means(opened):
    shown = state(tags(opened(replicates=2))["front"])

    (chart,) = shown["compareRunCharts"]
    assert chart["xaxis"]["key"] == "mean/clean_accuracy"
    assert "metrics.`pareto/rank` >= 0" in shown["searchFilter"]


def test_weights_that_the_space_does_not_vary_have_no_axis():
    assert searched_weights(make_study()) == ["alpha", "beta", "gamma", "lambda"]
    pinned = make_study(fixed={"alignments/gram": False})
    assert searched_weights(pinned) == ["alpha", "beta", "lambda"]


def test_a_space_that_cannot_be_imported_from_here_does_not_hide_the_study():
    study = make_study(search_space="no_such_module:space")

    assert searched_weights(study) == ["alpha", "beta", "gamma", "lambda", "mu"]


def test_a_view_that_a_person_changed_stays_as_it_is(opened):
    mlflow = opened()
    before = tags(mlflow)
    name = TAG + view_id("front", mlflow.run_id)
    mlflow.client.set_experiment_tag(mlflow.experiment_id, name, "changed by a person")

    opened(mlflow.directory)

    assert tags(mlflow) == {**before, "front": "changed by a person"}


def test_a_view_that_nobody_changed_follows_the_study(opened):
    mlflow = opened()
    before = tags(mlflow)["front"]

    opened(mlflow.directory, objectives=THREE)

    assert tags(mlflow)["front"] != before


def test_studies_that_share_an_experiment_have_views_of_their_own(opened):
    first = opened(name="first", tracking={"experiment": "shared"})
    second = opened(name="second", tracking={"experiment": "shared"})

    assert first.experiment_id == second.experiment_id
    assert json.loads(tags(first)["best"])["name"] == "first: Front only"
    assert json.loads(tags(second)["best"])["name"] == "second: Front only"


def test_studies_of_one_name_in_two_directories_are_told_apart(opened):
    first = opened(name="twin")
    second = opened(name="twin")

    assert (first.name, second.name) == ("twin", "twin (2)")
    assert json.loads(tags(first)["best"])["name"] == "Front only"
    assert json.loads(tags(second)["best"])["name"] == "twin (2): Front only"
    assert opened(second.directory, name="twin").name == "twin (2)"


class RefusingClient:
    """A server of an old version, which takes no long experiment tags."""

    def __init__(self, client):
        self._client = client

    def __getattr__(self, name):
        return getattr(self._client, name)

    def set_experiment_tag(self, *_):
        raise MlflowException("value too long", error_code=1000)  # INVALID_PARAMETER_VALUE


def test_a_server_that_refuses_views_keeps_everything_else(opened, caplog):
    mlflow = opened(name="old")

    other = make_study(name="old", objectives=THREE)
    write(RefusingClient(mlflow.client), mlflow.experiment_id, mlflow.run_id, other, name="old")

    assert "MLflow refuses the view" in caplog.text


def test_the_text_begins_with_links_to_all_views_and_follows_the_study(opened):
    mlflow = opened(name="linked", description="Do *small* students hold?")
    write_note(mlflow)
    before = text(mlflow)
    results = Results(mlflow.study, [make_record(0, 0.9, 0.4), make_record(1, 0.8, 0.5)])
    found = Findings(results, {0: "aaa", 1: "bbb"}, {"front/front.html", "report.html"})

    write_note(mlflow, found)

    after, shown = text(mlflow), names(mlflow.study, mlflow.run_id, mlflow.name)
    assert all(f"[{name}](#/" in before for name in shown.values())
    assert r"Do \*small\* students hold?" in before
    assert after.startswith("[Pareto front: clean vs robust accuracy](#/experiments/")
    assert "[Compare the front](#/compare-runs?runs=%5B%22aaa%22%2C%22bbb%22%5D" in after
    assert f"[report](#/experiments/{mlflow.experiment_id}/runs/{mlflow.run_id}/artifacts/" in after
    assert f"| [trial 1](#/experiments/{mlflow.experiment_id}/runs/bbb?" in after
    assert "[importance]" not in after


def test_a_description_is_text_and_no_markdown(opened):
    mlflow = opened(description="<img src=x> ![a](//evil.example/b) [c](javascript:d) `e` | f")

    write_note(mlflow)

    shown = text(mlflow)
    assert r"&lt;img src=x&gt; \!\[a\](//evil.example/b) \[c\](javascript:d) \`e\` \| f" in shown


def test_a_text_that_a_person_wrote_stays(opened):
    mlflow = opened()
    write_note(mlflow)
    mlflow.client.set_tag(mlflow.run_id, NOTE, "mine")

    results = Results(mlflow.study, [make_record(0, 0.9, 0.4)])
    write_note(mlflow, Findings(results, {}, []))

    assert text(mlflow) == "mine"


def test_a_study_that_is_opened_again_keeps_the_text_that_says_more(opened):
    mlflow = opened()
    results = Results(mlflow.study, [make_record(0, 0.9, 0.4)])
    write_note(mlflow, Findings(results, {0: "aaa"}, []))
    before = text(mlflow)

    write_note(mlflow)

    assert text(mlflow) == before


def test_a_large_front_still_fits_into_a_tag(opened):
    mlflow = opened()
    points = [make_record(n, 0.9 - n / 1000, 0.3 + n / 1000) for n in range(300)]
    results = Results(mlflow.study, points)

    written = note(mlflow, Findings(results, {n: f"{n:032x}" for n in range(300)}, []))

    assert "… and 288 more on the front." in written
    assert len(written) < 8_000
