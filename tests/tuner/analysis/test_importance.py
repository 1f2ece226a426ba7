"""Shares of parameters in the spread of objectives."""

import dataclasses
import gc

import pytest
from make_records import make_record, make_results, make_study
from optuna.importance._fanova._tree import _FanovaTree

from tuner.analysis.importance import FEWEST, OFF, importances
from tuner.analysis.results import Results

CLEAN, ROBUST = "val/clean_accuracy", "val/robust_accuracy"


def study_of(*rows):
    """Trials of (clean, robust, params)."""
    records = [
        dataclasses.replace(make_record(number, clean, robust), params=params)
        for number, (clean, robust, params) in enumerate(rows)
    ]
    return Results(make_study(), records)


def one_matters(number):
    weight = 10 ** (-2 + number % 7 / 2)
    params = {"alignments/gram": True, "alignments/gram/weight": weight, "other": number % 3}
    return 0.5 + 0.05 * (number % 7), 0.4, params


@pytest.mark.parametrize("evaluator", ["fanova", "ped-anova"])
def test_the_parameter_that_decides_has_the_largest_share(evaluator):
    results = study_of(*map(one_matters, range(42)))

    shares = importances(results, evaluator)[CLEAN]

    assert next(iter(shares)) == "alignments/gram/weight"
    assert shares["alignments/gram/weight"] > 0.8
    assert sum(shares.values()) == pytest.approx(1)


def test_an_objective_that_does_not_vary_gives_no_share():
    shares = importances(study_of(*map(one_matters, range(10))))[ROBUST]

    assert set(shares.values()) == {0.0}


def test_a_term_that_is_off_counts_as_a_smaller_weight():
    on = [(0.9, 0.4, {"alignments/gram/weight": 1.0 + n / 100}) for n in range(10)]
    off = [(0.5, 0.4, {"other": OFF}) for n in range(10)]

    shares = importances(study_of(*on, *off))[CLEAN]

    assert shares["alignments/gram/weight"] > 0.3


def test_too_few_trials_are_one_sentence():
    with pytest.raises(ValueError, match=rf"at least {FEWEST} complete searched trials.* has 2"):
        importances(make_results((0.9, 0.1), (0.8, 0.2)))


def test_nothing_varied_is_one_sentence():
    with pytest.raises(ValueError, match=r"no parameter of study .* has taken two values"):
        importances(study_of(*[(0.9, 0.1 * n, {"a": 1}) for n in range(8)]))


def test_shares_are_the_same_again():
    results = study_of(*map(one_matters, range(20)))

    assert importances(results) == importances(results)


def test_no_forest_is_kept_once_the_shares_are_known():
    importances(study_of(*map(one_matters, range(2 * FEWEST))))

    assert _FanovaTree not in map(type, gc.get_objects())
