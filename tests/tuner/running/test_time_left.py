from dataclasses import replace

import pytest
from make_records import make_record, make_study

from tuner.analysis.costs import SECONDS
from tuner.records import TrialState
from tuner.running.time_left import clock, study_seconds_left, trial_seconds_left

NOW = 1.77e9


def trial(number, epochs, state=TrialState.running, each=10.0):
    """Of 12 epochs, the last reported at ``NOW``."""
    report = {"timestamp": NOW * 1000, SECONDS: each}
    return replace(
        make_record(number, state=state),
        reports=tuple({**report, "epoch": e + 1} for e in range(epochs)),
    )


def test_a_trial_needs_what_its_epochs_to_come_take_less_what_the_present_one_took():
    assert trial_seconds_left(trial(0, 5), NOW + 4) == pytest.approx(7 * 10 - 4)


def test_an_epoch_that_takes_longer_than_usual_does_not_eat_into_the_next():
    assert trial_seconds_left(trial(0, 5), NOW + 1000) == pytest.approx(6 * 10)


def test_nothing_is_known_before_the_first_epoch():
    assert trial_seconds_left(trial(0, 0), NOW) is None
    assert study_seconds_left(make_study(trials=4), [trial(0, 0)]) is None


def test_a_study_shares_its_epochs_among_the_trials_at_once():
    study = make_study(trials=4, resources={"max_concurrent": 2})
    records = [trial(0, 12, TrialState.complete), trial(1, 6)]

    assert study_seconds_left(study, records) == pytest.approx((3 * 12 - 6) * 10 / 2)


def test_trials_that_were_stopped_make_those_to_come_shorter():
    study = make_study(trials=3, resources={"max_concurrent": 1})
    records = [trial(0, 12, TrialState.complete), trial(1, 4, TrialState.stopped)]

    assert study_seconds_left(study, records) == pytest.approx(8 * 10)


def test_seconds_are_read_as_a_clock():
    assert [clock(0.4), clock(75), clock(-3)] == ["0:00:00", "0:01:15", "0:00:00"]
