"""The load benchmark in small: its study is real, and what it looks for it finds."""

import shutil
import sqlite3

import pytest

from benchmarks.load.live import LiveArm, RecordedRuns, milliseconds, run_live, study_of
from benchmarks.load.memory import slope
from benchmarks.load.points import compare
from tuner.records import TrialState
from tuner.storage.directory import StudyDirectory
from tuner.tracking.tracker import Tracker, default_uri

TRIALS, EPOCHS = 8, 4


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """Records of a small study that ran without Ray, and the database of its MLflow."""
    folder = tmp_path_factory.mktemp("runs")
    settings = {"scheduler": {"name": "fifo"}, "sampler": {"name": "random"}}
    study = study_of("live", TRIALS, EPOCHS, **settings)
    directory = StudyDirectory(folder / study.name)
    directory.claim(study)
    tracker = Tracker(study, directory.path, default_uri(directory.path))
    tracker.start()
    arm = LiveArm(study, directory, [tracker], slots=3)
    run_live(arm, slots=3, run=RecordedRuns(EPOCHS))
    assert tracker.close(status="FINISHED")
    return arm, folder / "mlflow.db"


def test_a_live_study_has_its_trials_and_all_their_reports(live):
    arm, _ = live

    records = arm.ledger.records()

    assert [record.state for record in records] == [TrialState.complete] * TRIALS
    assert [len(record.reports) for record in records] == [EPOCHS] * TRIALS
    assert arm.reports == len(arm.times.reports) == TRIALS * EPOCHS
    assert len(arm.times.proposals) == TRIALS


def test_mlflow_and_the_ledger_agree_point_by_point(live):
    arm, database = live

    found = compare(arm.ledger.records(), database)

    assert found.whole
    assert found.runs == TRIALS
    assert found.points > TRIALS * EPOCHS


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        ("delete from metrics where rowid in (select rowid from metrics limit 1)", "lost"),
        ("insert into metrics select key, value, timestamp + 1, run_uuid, step, is_nan from"
         " metrics where key = 'val/clean_accuracy' and step = 2 limit 1", "doubled"),
        ("update metrics set value = 7 where rowid in (select rowid from metrics where key ="
         " 'val/clean_accuracy' limit 1)", "foreign"),
        ("update runs set status = 'RUNNING' where status = 'FINISHED'", "foreign"),
    ],
)  # fmt: skip
def test_what_is_lost_doubled_or_foreign_is_found(live, tmp_path, damage, kind):
    arm, database = live
    copy = shutil.copy(database, tmp_path / "mlflow.db")
    with sqlite3.connect(copy) as store:
        store.execute(damage)

    found = compare(arm.ledger.records(), copy)

    assert not found.whole
    assert vars(found)[kind] > 0


def test_times_are_told_in_milliseconds_by_their_rank():
    assert milliseconds([0.003, 0.001, 0.002]) == {"p50": 2.0, "p99": 2.0, "max": 3.0}


def test_the_slope_is_that_between_the_two_largest_studies():
    sizes = {10: 101.0, 100: 110.0, 1000: 200.0}

    rows = [{"trials": n, "before_mb": 100.0, "after_mb": mb} for n, mb in sizes.items()]

    assert slope(rows) == 100.0
