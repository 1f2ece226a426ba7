"""What the end of a trial teaches, and that every sampler takes the lesson."""

import optuna
import pytest
from make_records import make_record, make_study
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState as OptunaState

from tuner.records import TrialState
from tuner.search.history import History
from tuner.search.lessons import Lesson, ending, worst

BOUND = {"constraints": [{"metric": "val/clean_accuracy", "at_least": 0.9}]}
ENDS = {
    "complete": ((0.95, 0.4), TrialState.complete, ""),
    "violating": ((0.45, 0.4), TrialState.complete, ""),
    "stopped": ((0.5, 0.2), TrialState.stopped, "rank 4 at rung 3"),
    "diverged": ((), TrialState.failed, "diverged: loss was nan in epoch 3"),
    "out of memory": ((), TrialState.failed, "out of memory: 2 GiB"),
    "raised": ((), TrialState.failed, "raised: ValueError: no"),
    "raised without a cause": ((), TrialState.failed, "ValueError: no"),
    "worker died": ((), TrialState.failed, "worker died: killed"),
    "cancelled": ((), TrialState.failed, "cancelled: by hand"),
}
LESSONS = {
    "complete": (OptunaState.COMPLETE, (0.95, 0.4), 0.0),
    "violating": (OptunaState.COMPLETE, (0.45, 0.4), pytest.approx(0.5)),
    "stopped": (OptunaState.PRUNED, None, 0.0),
    "diverged": (OptunaState.COMPLETE, None, 1.0),
    "out of memory": (OptunaState.COMPLETE, None, 1.0),
    "raised": (OptunaState.COMPLETE, None, 1.0),
    "raised without a cause": (OptunaState.COMPLETE, None, 1.0),
    "worker died": (OptunaState.FAIL, None, 0.0),
    "cancelled": (OptunaState.FAIL, None, 0.0),
}
DISTRIBUTIONS = {
    "on": CategoricalDistribution([True, False]),
    "weight": FloatDistribution(0.1, 10.0, log=True),
}


def ended(name, number=0):
    values, state, reason = ENDS[name]
    return make_record(number, *values, state=state, reason=reason)


@pytest.mark.parametrize("end", ENDS)
def test_an_end_teaches_the_truth_about_it(end):
    assert ending(make_study(**BOUND), ended(end)) == LESSONS[end]


def test_there_is_a_lesson_for_every_end():
    assert ENDS.keys() == LESSONS.keys()


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "nsga3", "gp"])
@pytest.mark.parametrize(
    "ends", [["complete"], ["violating"], ["stopped"], ["diverged"], ["worker died"], list(ENDS)]
)
def test_every_sampler_proposes_after_such_ends_alone_and_mixed(sampler, ends):
    settings = {"name": sampler, "startup_trials": 1, "population_size": 2}
    study = make_study(sampler=settings, **BOUND)
    history = History(study, {})
    for number in range(max(3, len(ends))):
        state, values, violation = ending(study, ended(ends[number % len(ends)]))
        params = {"on": number % 2 == 0, "weight": 0.5 + number / 4}
        history.put(number, Lesson(OptunaState.RUNNING, params, DISTRIBUTIONS))
        history.put(number, Lesson(state, params, DISTRIBUTIONS, {}, values, violation))

    history.seed(100)
    trial = history.ask()

    assert trial.suggest_categorical("on", [True, False]) in {True, False}
    assert 0.1 <= trial.suggest_float("weight", 0.1, 10.0, log=True) <= 10.0


def test_an_infeasible_trial_stands_with_the_worst_value_of_each_objective():
    objectives = [
        {"metric": "val/robust_accuracy"},
        {"metric": "student/parameters", "direction": "minimize"},
    ]
    study = make_study(objectives=objectives)

    assert worst(study, [(0.4, 900.0), (0.2, 300.0)]) == (0.2, 900.0)
    assert worst(study, []) == (0.0, 0.0)


def test_optuna_sees_how_far_a_trial_is_from_holding_the_constraints():
    study = make_study(sampler={"name": "random"}, **BOUND)
    history = History(study, {})
    for number, end in enumerate(["complete", "violating", "diverged"]):
        state, values, violation = ending(study, ended(end))
        history.put(number, Lesson(state, {}, {}, {}, values, violation))

    trials = history._study.get_trials()

    assert [next(iter(trial.constraints.values())) for trial in trials] == pytest.approx(
        [0, 0.5, 1]
    )
    assert [trial.values for trial in trials][2] == [0.45, 0.4]
    assert [t.number for t in history._study.best_trials] == [0]
    assert optuna.trial.TrialState.FAIL not in {trial.state for trial in trials}
