"""What a driver writes down for the one that was killed before it, without Ray."""

import io
import math

import mlflow
import pytest
from rich.console import Console

from tuner.records import TrialState
from tuner.running.session import Session
from tuner.search.search import Search
from tuner.storage.directory import StudyDirectory
from tuner.storage.ledger import Ledger
from tuner.study import StudyConfig
from tuner.tracking.tracker import default_uri

STUDY = {
    "name": "small",
    "trials": 3,
    "base": {"epochs": 2, "student": {"architecture": "small_resnet6"}},
    "teachers": {"resnet": {"architecture": "small_resnet8"}},
    "first_trials": [],
    "scheduler": {"name": "halving", "grace_period": 1},
    "resources": {"min_free_disk_gb": 0},
}


@pytest.fixture
def directory(tmp_path):
    return StudyDirectory(tmp_path / "runs" / "small")


def report(epoch, accuracy):
    return {"epoch": epoch, "val/clean_accuracy": accuracy, "val/robust_accuracy": accuracy}


def run(study, directory):
    return Session(study, directory, Console(file=io.StringIO())).run()


def begin(study, directory):
    directory.claim(study)
    return Search(study, Ledger(study, directory.path), patience=math.inf)


def test_files_of_a_last_trial_that_a_killed_driver_did_not_write_are_written(directory):
    study = StudyConfig.model_validate({**STUDY, "trials": 1, "tracking": {"enabled": False}})
    search = begin(study, directory)
    search.report(search.ask().number, report(2, 0.5), done=True)

    run(study, directory)

    assert (directory.trial(0) / "config.yaml").is_file()
    assert (directory.trial(0) / "metrics.csv").read_text().endswith(",0.5,0.5\n")


@pytest.mark.slow
def test_a_verdict_that_a_killed_driver_did_not_reach_is_shown_in_files_and_mlflow(directory):
    study = StudyConfig.model_validate(STUDY)
    search = begin(study, directory)
    for accuracy in (0.9, 0.8):
        number = search.ask().number
        search.report(number, report(1, accuracy))
        search.report(number, report(2, accuracy), done=True)
    search.ledger.report(search.ask().number, report(1, 0.1))

    results = run(study, directory)

    assert results.records[2].state == TrialState.stopped
    assert (directory.trial(2) / "metrics.csv").is_file()
    runs = mlflow.MlflowClient(default_uri(directory.path)).search_runs(
        ["1"], "tags.`tuner.trial` = '2'"
    )
    assert [run.info.status for run in runs] == ["KILLED"]


def test_another_study_of_the_same_name_in_a_shared_database_is_refused(directory, tmp_path):
    shared = {**STUDY, "storage": f"sqlite:///{tmp_path}/shared.db", "tracking": {"enabled": False}}
    begin(StudyConfig.model_validate(shared), directory)
    other = StudyConfig.model_validate({**shared, "base": {**STUDY["base"], "epochs": 7}})
    elsewhere = StudyDirectory(tmp_path / "elsewhere")

    with pytest.raises(ValueError, match=r"shared\.db holds another study called 'small'"):
        run(other, elsewhere)

    assert not elsewhere.path.exists()
