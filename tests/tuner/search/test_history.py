"""The bounded memory of a sampler: what it keeps, and what leaves no trace."""

import dataclasses

import pytest
from make_records import make_study
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState as OptunaState

from tuner.search.history import SLACK, History
from tuner.search.lessons import Lesson

BOUND = 20
GROWN = int(SLACK * BOUND)


def lesson(state=OptunaState.COMPLETE, values=(0.5, 0.5), violation=0.0, weight=0.5):
    if state != OptunaState.COMPLETE:
        values = None
    weights = {"weight": FloatDistribution(0.0, 1.0)}
    return Lesson(state, {"weight": weight}, weights, {}, values, violation)


RUNNING = lesson(OptunaState.RUNNING)
FAIL = lesson(OptunaState.FAIL)
PRUNED = lesson(OptunaState.PRUNED)


@pytest.fixture
def history():
    """``history(lessons)``: of a study that remembers 20 trials and draws at random."""
    study = make_study(sampler={"name": "random", "history": BOUND})
    return lambda lessons=None: History(study, lessons or {})


def test_a_history_is_cut_back_to_its_bound_when_it_has_outgrown_it(history):
    memory = history()
    sizes = []
    for number in range(3 * GROWN):
        memory.put(number, PRUNED)
        sizes.append(len(memory))

    assert max(sizes) == GROWN
    assert sizes[GROWN : GROWN + 2] == [BOUND, BOUND + 1]


def test_what_a_history_begins_with_is_cut_to_its_bound(history):
    assert len(history({number: PRUNED for number in range(3 * BOUND)})) == BOUND


def test_running_trials_are_kept_and_do_not_count(history):
    memory = history()
    for number in range(5):
        memory.put(number, RUNNING)
    for number in range(5, 5 + GROWN + 1):
        memory.put(number, PRUNED)

    assert {0, 1, 2, 3, 4} <= memory.lessons.keys()
    assert len(memory) == 5 + BOUND


def test_the_best_ranks_and_the_newest_are_kept(history):
    memory = history()
    old = {0: (0.9, 0.1), 1: (0.1, 0.9), 2: (0.8, 0.8)}
    for number in range(GROWN + 1):
        memory.put(number, lesson(values=old.get(number, (0.01, 0.01 + number / 1000))))

    newest = range(GROWN + 1 - BOUND // 2, GROWN + 1)

    assert {*old, *newest} <= memory.lessons.keys()
    assert len(memory) == BOUND


def test_a_trial_that_holds_the_constraints_is_kept_before_a_better_one_that_does_not(history):
    memory = history()
    for number in range(GROWN + 1):
        holds = number < BOUND // 2
        memory.put(number, lesson(values=(0.1, 0.1) if holds else (0.9, 0.9), violation=not holds))

    assert set(range(BOUND // 2)) <= memory.lessons.keys()


def test_optuna_holds_what_the_history_holds_after_a_cut(history):
    memory = history()
    for number in range(GROWN + 1):
        memory.put(number, lesson(weight=number / 100))

    weights = sorted(trial.params["weight"] for trial in memory._study.get_trials())

    assert weights == sorted(kept.params["weight"] for kept in memory.lessons.values())


@pytest.mark.parametrize("begun", [True, False])
def test_a_lesson_that_is_none_leaves_no_trace(history, begun):
    memory = history()
    if begun:
        memory.put(0, RUNNING)

    memory.put(0, FAIL)

    live = [t for t in memory._study.get_trials() if t.state != OptunaState.FAIL]
    assert not memory.holds(0)
    assert len(memory) == len(live) == 0
    assert len(memory.renewed()._study.get_trials()) == 0


def test_a_drawn_trial_that_is_dropped_leaves_no_lesson(history):
    memory = history()
    memory.seed(0)
    trial = memory.ask()
    trial.suggest_float("weight", 0.0, 1.0)

    memory.drop(trial)

    assert len(memory) == 0


def test_a_drawn_trial_that_is_kept_can_be_ended(history):
    memory = history()
    memory.seed(0)
    trial = memory.ask({"weight": 0.25})
    trial.suggest_float("weight", 0.0, 1.0)

    kept = memory.keep(trial, 7)
    memory.put(7, dataclasses.replace(kept, state=OptunaState.COMPLETE, values=(0.5, 0.6)))

    (seen,) = memory._study.get_trials()
    assert (seen.state, seen.values, seen.params) == (
        OptunaState.COMPLETE,
        [0.5, 0.6],
        {"weight": 0.25},
    )


def test_a_renewed_history_holds_the_same_and_goes_its_own_way(history):
    memory = history()
    for key, one in {("runs/old", 3): lesson(), 0: PRUNED, 1: RUNNING}.items():
        memory.put(key, one)

    renewed = memory.renewed()
    renewed.put(2, lesson())

    assert list(memory.lessons.items()) == list(renewed.lessons.items())[:3]
    assert len(renewed._study.get_trials()) == 4
    assert len(memory._study.get_trials()) == 3


def test_a_trial_that_ends_after_a_cut_is_still_known(history):
    memory = history()
    memory.put("first", RUNNING)
    for number in range(GROWN + 1):
        memory.put(number, PRUNED)

    memory.put("first", lesson(values=(0.7, 0.7)))

    values = [t.values for t in memory._study.get_trials() if t.state == OptunaState.COMPLETE]
    assert values == [[0.7, 0.7]]


def test_a_trial_that_was_drawn_here_and_has_ended_is_renewed_as_it_is(history):
    memory = history()
    memory.seed(0)
    trial = memory.ask()
    trial.suggest_float("weight", 0.0, 1.0)
    drawn = memory.keep(trial, 0)
    memory.put(0, dataclasses.replace(drawn, state=OptunaState.COMPLETE, values=(0.5, 0.5)))

    again = memory.renewed()

    assert again.lessons == memory.lessons
    assert again.lessons[0].system_attrs == {}
