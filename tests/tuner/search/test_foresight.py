"""Predicted ends: learnt from finished trials, and only from enough of them."""

import numpy as np
import pytest

from tuner.records import TrialRecord, TrialState
from tuner.search.foresight import Foresight, features
from tuner.search.judges import create_judge
from tuner.study import StudyConfig


@pytest.fixture
def taught():
    """A foresight for which the end is the opposite of what is seen at epoch 2."""
    foresight = Foresight(least=6)
    for number in range(20):
        foresight.see(2, number, [number / 20])
        foresight.finish(number, [1 - number / 20, number / 20])
    return foresight


def test_nothing_is_foreseen_from_too_few():
    foresight = Foresight(least=6)
    for number in range(5):
        foresight.see(2, number, [float(number)])
        foresight.finish(number, [0.0])

    assert foresight.predict(2, range(5)) is None


def test_trials_that_finished_elsewhere_do_not_count(taught):
    assert taught.predict(6, []) is None


def test_the_end_is_learnt_even_if_it_is_the_opposite_of_what_is_seen(taught):
    taught.see(2, 20, [0.1])
    taught.see(2, 21, [0.9])

    bad, good = taught.predict(2, [20, 21])

    assert bad[0] > good[0] + 0.5
    assert bad[1] < good[1] - 0.5


def test_what_was_foreseen_changes_as_more_finish(taught):
    taught.see(2, 20, [0.1])
    before = taught.predict(2, [20])
    for number in range(30, 60):
        taught.see(2, number, [0.1])
        taught.finish(number, [0.0, 0.0])

    after = taught.predict(2, [20])

    assert before[0, 0] > 0.5
    assert after[0, 0] < 0.2


def test_features_look_at_the_newest_report_and_at_earlier_ones():
    reports = [{"epoch": e, "a": float(e)} for e in range(1, 9)]

    assert features(reports, ["a"]) == [2.0, 4.0, 6.0, 8.0]
    assert features(reports[:1], ["a", "b"]) == [1.0, 0.0]


def record(number, reports, state=TrialState.running, values=None):
    return TrialRecord(
        number,
        state,
        "searched",
        "",
        {"epochs": 9},
        reports=tuple(reports),
        values=values or {},
    )


def report(epoch, clean, robust):
    return {"epoch": epoch, "val/clean_accuracy": clean, "val/robust_accuracy": robust}


def judge_after(foresight, seen):
    """Judge a trial after 20 whose early robustness was the reverse of that at the end."""
    scheduler = {"name": "halving", "grace_period": 3, "foresight": foresight}
    study = StudyConfig.model_validate({"name": "s", "base": {"epochs": 9}, "scheduler": scheduler})
    judge = create_judge(study)
    generator = np.random.default_rng(0)
    for number in range(20):
        end = generator.random()
        early = report(3, 0.5, 1 - end)
        values = {"val/clean_accuracy": end, "val/robust_accuracy": end}
        known = record(number, [report(e, 0.5, 1 - end) for e in (1, 2)] + [early])
        judge.note(known, early)
        judge.finish(record(number, known.reports, TrialState.complete, values))
    last = report(3, 0.5, seen)
    return judge.judge(record(20, [report(1, 0.5, seen), report(2, 0.5, seen), last]), last)


@pytest.mark.parametrize(("seen", "goes_on"), [(0.05, True), (0.6, False)])
def test_a_trial_is_judged_by_its_foreseen_end(seen, goes_on):
    assert (judge_after(8, seen) == "") == goes_on


def test_without_foresight_it_is_judged_by_what_it_has():
    assert "rank" in judge_after(None, 0.05)
    assert "foreseen" not in judge_after(None, 0.05)


def test_whoever_leads_an_objective_goes_on_whatever_is_foreseen():
    assert judge_after(8, 0.999) == ""
