"""Successive halving without a study: who goes on at a rung, whatever comes in whatever order."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.search.front_geometry import non_dominated_ranks
from tuner.search.halving import Halving
from tuner.search.ranking import TIE_BREAKS, is_among_best
from tuner.search.scheduler_config import HalvingConfig

QUICK = settings(max_examples=25, deadline=None)
VALUES = st.sampled_from([0.0, 0.1, 0.3, 0.35, 0.8, 1.0])
RUNG = 3


@st.composite
def arrivals(draw):
    """Losses of trials 0, 1, … at the rung, with 1 to 3 objectives; some are equal."""
    columns = draw(st.integers(1, 3))
    row = st.lists(VALUES, min_size=columns, max_size=columns)
    return draw(st.lists(row, min_size=1, max_size=16))


def begin(num_objectives=2, *, epochs=9, seed=0, **settings):
    config = HalvingConfig.model_validate({"grace_period": RUNG, **settings})
    return Halving(config, epochs=epochs, num_objectives=num_objectives, seed=seed)


def verdicts(halving, rows):
    return [halving.judge(number, RUNG, row, 0.0) for number, row in enumerate(rows)]


TIES = pytest.mark.parametrize("tie_break", TIE_BREAKS)
FACTORS = st.sampled_from([2, 2.5, 3, 4.7])


@TIES
@QUICK
@given(rows=arrivals(), factor=FACTORS)
def test_a_trial_that_dominates_all_others_is_never_stopped(tie_break, rows, factor):
    columns = len(rows[0])
    halving = begin(columns, tie_break=tie_break, reduction_factor=factor)
    verdicts(halving, rows)

    assert halving.judge(len(rows), RUNG, [-1.0] * columns, 0.0) == ""


@TIES
@QUICK
@given(rows=arrivals(), factor=FACTORS)
def test_a_trial_goes_on_if_and_only_if_it_is_among_the_best_of_those_that_came(
    tie_break, rows, factor
):
    columns = len(rows[0])
    halving = begin(columns, tie_break=tie_break, reduction_factor=factor)

    for number, row in enumerate(rows):
        came = number + 1
        capacity = max(columns, math.ceil(came / factor))
        best, _ = is_among_best(
            number, capacity, np.array(rows[:came]), np.zeros(came), tie_break=tie_break
        )

        assert (halving.judge(number, RUNG, row, 0.0) == "") == best


@TIES
@QUICK
@given(rows=arrivals())
def test_nobody_is_kept_before_the_first_front_is(tie_break, rows):
    columns = len(rows[0])
    halving = begin(columns, tie_break=tie_break)
    verdicts(halving, rows)
    capacity, ranks = halving.capacity(len(rows)), non_dominated_ranks(np.array(rows))

    again = [halving.judge(number, RUNG, row, 0.0) for number, row in enumerate(rows)]

    kept = [ranks[number] for number, reason in enumerate(again) if not reason]
    assert len(kept) == min(capacity, len(rows))
    assert sum(rank == 0 for rank in kept) == min(capacity, sum(ranks == 0))


@TIES
@QUICK
@given(rows=arrivals())
def test_the_sole_best_of_an_objective_is_never_stopped(tie_break, rows):
    columns = len(rows[0])
    halving = begin(columns, tie_break=tie_break)

    for number, (row, reason) in enumerate(zip(rows, verdicts(halving, rows), strict=True)):
        before = np.array(rows[:number]).reshape(number, columns)
        sole_best = (np.array(row) < before.min(axis=0, initial=np.inf)).any()

        assert not (sole_best and reason)


def test_constraints_come_before_objectives():
    halving = begin(1)
    halving.judge(0, RUNG, [0.9], 0.0)

    assert halving.judge(1, RUNG, [0.1], 0.2) != ""
    assert halving.judge(2, RUNG, [0.8], 0.0) == ""


def test_the_least_violating_goes_on_where_none_holds_the_constraints():
    halving = begin(1)
    halving.judge(0, RUNG, [0.1], 0.5)

    assert halving.judge(1, RUNG, [0.9], 0.2) == ""
    assert halving.judge(2, RUNG, [0.0], 0.4) != ""


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_stopped_with_the_reason_and_does_not_count(bad):
    halving = begin(2)

    reason = halving.judge(0, RUNG, [bad, 0.5], 0.0)

    assert reason == f"not finite at rung {RUNG}: {bad:g}, 0.5"
    assert halving.judge(1, RUNG, [0.9, 0.9], 0.0) == ""
    assert (
        "of the 3 trials"
        in [halving.judge(number, RUNG, [number, number], 0.0) for number in (2, 3)].pop()
    )


def test_a_violation_that_is_not_finite_is_stopped():
    assert begin(1).judge(0, RUNG, [0.5], math.nan).startswith("not finite")


@QUICK
@given(arrivals())
def test_a_trial_judged_twice_gets_the_same_verdict_and_counts_once(rows):
    once, twice = begin(len(rows[0])), begin(len(rows[0]))

    for number, row in enumerate(rows):
        first = twice.judge(number, RUNG, row, 0.0)

        assert twice.judge(number, RUNG, row, 0.0) == first
        assert once.judge(number, RUNG, row, 0.0) == first


@QUICK
@given(arrivals(), st.integers(1, 15))
def test_a_rebuilt_object_says_what_the_uninterrupted_one_says(rows, killed_after):
    uninterrupted, rebuilt = begin(len(rows[0])), begin(len(rows[0]))
    expected = verdicts(uninterrupted, rows)
    for number, row in enumerate(rows[:killed_after]):
        rebuilt.note(number, RUNG, row, 0.0)

    later = [
        rebuilt.judge(number, RUNG, row, 0.0)
        for number, row in list(enumerate(rows))[killed_after:]
    ]

    assert later == expected[killed_after:]


def test_an_epoch_between_rungs_says_nothing_and_is_not_remembered():
    halving = begin(1)
    halving.judge(0, RUNG, [0.0], 0.0)

    assert halving.judge(1, RUNG + 1, [9.0], 0.0) == ""
    halving.note(2, RUNG + 1, [9.0], 0.0)

    assert "of the 2 trials" in halving.judge(3, RUNG, [1.0], 0.0)


def test_a_bracket_depends_on_the_number_alone():
    one, other = begin(brackets=3, epochs=100), begin(brackets=3, epochs=100)
    numbers = range(40)
    forwards = [one.bracket(number) for number in numbers]

    backwards = [other.bracket(number) for number in reversed(numbers)]

    assert backwards == forwards[::-1]
    assert set(forwards) == {0, 1, 2}


def test_another_seed_draws_other_brackets():
    one, other = begin(brackets=3, epochs=100), begin(brackets=3, epochs=100, seed=1)

    assert [one.bracket(n) for n in range(40)] != [other.bracket(n) for n in range(40)]


def test_every_bracket_begins_one_rung_later():
    halving = begin(brackets=3, epochs=100)
    milestones = [3, 9, 27, 81]

    rungs = {halving.bracket(number): halving.rungs(number) for number in range(40)}

    assert rungs == {bracket: milestones[bracket:] for bracket in range(3)}


def test_trials_are_compared_within_their_bracket():
    halving = begin(1, brackets=2, epochs=100)
    late = next(number for number in range(40) if halving.bracket(number) == 1)
    early = [number for number in range(40) if halving.bracket(number) == 0]
    halving.judge(early[0], 9, [0.0], 0.0)

    assert halving.judge(late, 9, [1.0], 0.0) == ""
    assert halving.judge(early[1], 9, [1.0], 0.0) != ""


def test_there_are_no_more_brackets_than_rungs():
    halving = begin(brackets=9, epochs=9)

    assert {halving.bracket(number) for number in range(40)} == {0}


@pytest.mark.parametrize("epochs", [1, 3])
def test_nothing_is_stopped_where_no_rung_comes_before_the_last_epoch(epochs):
    halving = begin(1, epochs=epochs)

    assert [halving.judge(n, epochs, [float(n)], 0.0) for n in range(5)] == [""] * 5


@pytest.mark.parametrize(
    ("settings", "epochs", "milestones"),
    [
        ({"grace_period": 1}, 28, [1, 3, 9, 27]),
        ({"grace_period": 1}, 27, [1, 3, 9]),
        ({"grace_period": 2, "reduction_factor": 2}, 20, [2, 4, 8, 16]),
        ({"grace_period": 1, "reduction_factor": 2.5}, 40, [1, 2, 6, 16, 39]),
        ({"grace_period": 4, "reduction_factor": 2.1}, 40, [4, 8, 18, 37]),
        ({"grace_period": 8}, 9, [8]),
        ({}, 15, [5]),
        ({}, 27, [9]),
        ({}, 4, [2]),
        ({}, 1, []),
        ({"reduction_factor": 2}, 16, [8]),
        ({"reduction_factor": 100}, 15, [1]),
    ],
)
def test_rungs_are_a_factor_apart_and_before_the_last_epoch(settings, epochs, milestones):
    config = HalvingConfig.model_validate(settings)

    assert config.milestones(epochs) == milestones


@QUICK
@given(st.floats(2, 20), st.integers(1, 500), st.none() | st.integers(1, 50))
def test_rungs_never_repeat(factor, epochs, grace_period):
    config = HalvingConfig(reduction_factor=factor, grace_period=grace_period)

    milestones = config.milestones(epochs)

    assert milestones == sorted(set(milestones))
    assert all(1 <= rung < epochs for rung in milestones)
