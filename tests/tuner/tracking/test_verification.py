"""Verified numbers in a real MLflow store."""

import pytest
from make_verification import make_member, make_verification, study_of

from tuner.storage.directory import StudyDirectory
from tuner.tracking.client import connect
from tuner.tracking.tracker import default_uri, sync
from tuner.tracking.verification import log_verification
from tuner.verification.files import write_files


@pytest.fixture
def results():
    return study_of((0.95, 0.30), (0.90, 0.50))


@pytest.fixture
def found(results):
    return make_verification(results, make_member(results, 1, (264, 120), (261, 126)))


@pytest.fixture
def place(results, found, tmp_path):
    directory = StudyDirectory(tmp_path / "study")
    directory.claim(results.study)
    write_files(found, directory.path / "verification")
    directory.report.write_text("<h1>Verified</h1>")
    return directory


@pytest.mark.slow
def test_metrics_go_to_the_trials_and_files_to_the_study_once(results, found, place):
    uri = default_uri(place.path)
    sync(results.study, place.path, uri, results.records)

    counts = [log_verification(found, place) for _ in range(2)]

    client = connect(uri)
    (experiment,) = [e for e in client.search_experiments() if e.name == results.study.name]
    runs = client.search_runs([experiment.experiment_id])
    by_trial = {run.data.tags.get("tuner.trial"): run for run in runs}
    assert counts == [1, 1]
    metrics = by_trial["1"].data.metrics
    assert metrics["test/autoattack_accuracy"] == pytest.approx(123 / 300)
    assert metrics["test/clean_accuracy"] == pytest.approx(262.5 / 300)
    assert by_trial["1"].data.tags["tuner.verdict"] == "knee"
    history = client.get_metric_history(by_trial["1"].info.run_id, "test/clean_accuracy")
    assert len(history) == 1
    assert "test/clean_accuracy" not in by_trial["0"].data.metrics
    kept = client.list_artifacts(by_trial[None].info.run_id, "verification")
    assert len(kept) == 3
    pages = [file.path for file in client.list_artifacts(by_trial[None].info.run_id)]
    assert "report.html" in pages


def test_a_study_that_is_not_in_mlflow_is_left_out_of_it(found, place):
    assert log_verification(found, place) == 0
    assert not (place.path.parent / "mlflow.db").exists()
