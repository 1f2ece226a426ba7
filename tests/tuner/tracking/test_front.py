"""The result of a study in MLflow, against a real SQLite store: files, curves, places, links."""

import dataclasses
import json
from pathlib import Path

import pytest
from make_records import make_config, make_record, make_study

from tuner.analysis.results import Results
from tuner.exporting.front import write_front
from tuner.records import TrialState
from tuner.tracking import front as mlflow_front
from tuner.tracking.client import MlflowClient, connect
from tuner.tracking.front import Sent
from tuner.tracking.study import MlflowStudy
from tuner.tracking.tracker import Publication, Tracker, default_uri, sync


def study(*points, **settings):
    """A study whose complete trials have these clean and robust accuracies."""
    records = [make_record(number, *point) for number, point in enumerate(points)]
    return Results(make_study(**settings), records)


def weighted(*weights):
    """A study of three students with these covariance weights, and one trial that failed."""
    points = ((0.9, 0.4), (0.8, 0.5), (0.7, 0.3))
    records = [
        make_record(number, *point, config=make_config(beta=weight))
        for number, (point, weight) in enumerate(zip(points, weights, strict=True))
    ]
    failed = make_record(3, state=TrialState.failed, reason="diverged: <loss> is nan in epoch 3")
    return Results(make_study(), [*records, failed])


def publish(results, directory, *, final=True):
    publication = Publication(directory / "front", results, final)
    sync(results.study, directory, default_uri(directory), results.records, publication=publication)


def found(results, directory):
    """A client, the study's own run, and its trials' runs by number."""
    client = MlflowClient(default_uri(directory))
    experiment = client.get_experiment_by_name(results.study.name).experiment_id
    (parent,) = client.search_runs([experiment], f"tags.`tuner.directory` = '{directory}'")
    trials = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    return client, parent, {int(run.data.tags["tuner.trial"]): run for run in trials}


def artifacts(parent):
    folder = Path(parent.info.artifact_uri.removeprefix("file://"))
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_front_is_marked_in_every_chart(directory):
    results = study((0.9, 0.4), (0.8, 0.3))

    publish(results, directory)

    _, _, trials = found(results, directory)
    assert [trials[number].data.metrics["pareto/rank"] for number in (0, 1)] == [0, 1]
    assert [trials[number].data.tags["tuner.front"] for number in (0, 1)] == ["true", "false"]
    colours = [trials[number].data.tags["mlflow.runColor"] for number in (0, 1)]
    assert colours == ["#d62728", "#b0b0b0"]


@pytest.mark.slow
def test_a_trial_that_leaves_the_front_loses_its_place_and_nothing_else_is_sent(directory):
    before, after = study((0.8, 0.3)), study((0.8, 0.3), (0.9, 0.4))

    for results in (before, before, after):
        publish(results, directory)

    client, _, trials = found(after, directory)
    history = client.get_metric_history(trials[0].info.run_id, "pareto/rank")
    assert [point.value for point in history] == [0, 1]
    assert trials[0].data.tags["tuner.front"] == "false"


def test_a_config_with_two_seeds_is_one_point_at_its_means(directory):
    records = [
        make_record(0, 0.9, 0.4),
        dataclasses.replace(make_record(1, 0.8, 0.5), repeats=0),
    ]
    results = Results(make_study(replicates=2), records)

    publish(results, directory)

    _, _, trials = found(results, directory)
    assert trials[0].data.metrics["mean/clean_accuracy"] == pytest.approx(0.85)
    assert trials[0].data.metrics["mean/robust_accuracy"] == pytest.approx(0.45)
    assert trials[0].data.metrics["mean/seeds"] == 2
    assert "pareto/rank" not in trials[1].data.metrics


def test_weights_are_there_as_powers_of_ten_with_off_below_the_smallest(directory):
    results = weighted(10.0, 0.0, 0.1)

    publish(results, directory)

    _, _, trials = found(results, directory)
    logs = [trials[number].data.metrics["log10/beta"] for number in range(3)]
    assert logs == pytest.approx([1.0, -1.5, -1.0])


@pytest.mark.slow
def test_the_study_has_its_files_tables_and_pages(directory):
    results = weighted(10.0, 0.0, 0.1)
    write_front(results, directory / "front")
    (directory / "report.html").write_text("<h1>digits</h1>")

    publish(results, directory)

    _, parent, _ = found(results, directory)
    there = artifacts(parent)
    written = {f"front/{p.relative_to(directory / 'front')}" for p in files(directory / "front")}
    tables = {"front/table.json", "differences/table.json", "failures/table.json"}
    assert set(there) == written | tables | {"report.html"}
    shown = json.loads(parent.data.tags["mlflow.loggedArtifacts"])
    assert {entry["path"] for entry in shown} == tables
    reasons = [row[3] for row in json.loads(there["failures/table.json"])["data"]]
    assert reasons == ["<loss> is nan in epoch 3"]


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_while_the_study_runs_no_config_is_sent_that_could_not_be_taken_back(directory):
    results = study((0.9, 0.4))
    write_front(results, directory / "front")

    publish(results, directory, final=False)

    _, parent, _ = found(results, directory)
    assert "front/front.csv" in artifacts(parent)
    assert not [path for path in artifacts(parent) if "configs" in path]


def test_pages_lead_to_the_runs_of_their_trials(directory):
    results = study((0.9, 0.4), (0.8, 0.5))

    publish(results, directory)

    _, parent, trials = found(results, directory)
    there = artifacts(parent)
    addresses = [f"/runs/{run.info.run_id}?workflowType" for run in trials.values()]
    assert all(address in there["front/front.html"].decode() for address in addresses)
    assert all(address in there["front/parallel.html"].decode() for address in addresses)


def test_the_hypervolume_is_a_curve_over_complete_trials_written_once(directory):
    results = study((0.8, 0.5), (0.9, 0.5), (0.7, 0.1))

    for _ in range(2):
        publish(results, directory)

    client, parent, _ = found(results, directory)
    history = client.get_metric_history(parent.info.run_id, "hypervolume")
    points = sorted((point.step, point.value) for point in history)
    best = client.get_metric_history(parent.info.run_id, "best/clean_accuracy")
    assert points == [(1, pytest.approx(0.4)), (2, pytest.approx(0.45)), (3, pytest.approx(0.45))]
    times = {point.step: point.timestamp for point in history}
    assert [point.value for point in sorted(best, key=lambda point: point.step)] == [0.8, 0.9, 0.9]
    assert times == {n + 1: r.ended.timestamp() * 1000 for n, r in enumerate(results.records)}
    assert "cost/trial_hours" not in parent.data.metrics


def test_hours_of_a_study_on_gpus_are_gpu_hours(directory):
    results = study((0.8, 0.5), resources={"gpus": 0.5})
    report = {**results.records[0].reports[0], "cost/seconds": 7200.0}
    timed = dataclasses.replace(results.records[0], reports=(report,))

    publish(Results(results.study, [timed]), directory)

    _, parent, _ = found(results, directory)
    assert parent.data.metrics["cost/gpu_hours"] == 1.0


def test_a_file_is_sent_again_only_if_it_has_changed(directory):
    results = study((0.9, 0.4))
    (directory / "front").mkdir()
    (directory / "front" / "same.txt").write_text("same")
    (directory / "front" / "news.txt").write_text("old")
    mlflow = MlflowStudy(connect(default_uri(directory)), results.study, directory)
    publication, sent = Publication(directory / "front", results), Sent()
    mlflow_front.publish(mlflow, publication, sent)
    _, parent, _ = found(results, directory)
    front = Path(parent.info.artifact_uri.removeprefix("file://")) / "front"
    (front / "same.txt").unlink()
    (directory / "front" / "news.txt").write_text("new")

    mlflow_front.publish(mlflow, publication, sent)

    assert (front / "news.txt").read_text() == "new"
    assert not (front / "same.txt").exists()


@pytest.mark.slow
def test_the_links_compare_the_runs_of_the_front(directory):
    results = study((0.9, 0.4), (0.8, 0.5), (0.7, 0.3))
    publish(results, directory)
    tracker = Tracker(results.study, directory, default_uri(directory))
    tracker.start()

    links = tracker.urls("http://127.0.0.1:5000/")
    tracker.close(status="FINISHED")

    _, parent, trials = found(results, directory)
    page = f"http://127.0.0.1:5000/#/experiments/{parent.info.experiment_id}/runs"
    assert links.study == f"{page}/{parent.info.run_id}?workflowType=machine_learning"
    assert links.front.startswith(f"{page}?workflowType=machine_learning&compareRunsMode=CHART")
    assert [trials[n].info.run_id in links.compare for n in range(3)] == [True, True, False]
    assert links.remark == ""


def test_a_failed_study_has_a_page_too(directory):
    failed = make_record(0, state=TrialState.failed, reason="diverged: loss is nan")
    results = Results(make_study(), [failed])
    write_front(results, directory / "front")

    publish(results, directory)

    _, parent, _ = found(results, directory)
    assert json.loads(artifacts(parent)["front/table.json"])["data"] == []
    assert parent.data.metrics["trials/failed"] == 1
