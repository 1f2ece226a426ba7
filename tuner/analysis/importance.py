"""Which parameter matters for which objective, as Optuna computes it."""

from collections.abc import Mapping, Sequence
from functools import _lru_cache_wrapper, lru_cache
from typing import TYPE_CHECKING, Any, Literal

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
)

from tuner.analysis.results import Results
from tuner.records import TrialRecord

if TYPE_CHECKING:
    from optuna.importance import BaseImportanceEvaluator

optuna.logging.set_verbosity(optuna.logging.ERROR)  # it announces every study in memory

Importances = Mapping[str, Mapping[str, float]]
Evaluator = Literal["fanova", "ped-anova"]

FEWEST = 8
"""Searched trials below which a share would say nothing."""

OFF = "off"
WIDE = 10.0
"""A range of positive numbers whose ends differ by this factor is taken as logarithmic."""


@lru_cache(maxsize=1)  # the files of a front and its report ask for the same, one after the other
def importances(
    results: Results, evaluator: Evaluator = "fanova", *, seed: int = 0
) -> dict[str, dict[str, float]]:
    """Share of every parameter in the spread of every objective, over searched complete trials.

    A weight of a term that is off lies half a decade below the smallest weight tried; the switch of
    a term that has a weight says nothing more and is left out.

    Args:
        results: the study.
        evaluator: ``fanova`` (Hutter et al., 2014): share in the variance over the whole space;
            ``ped-anova`` (Watanabe et al., 2023): share in what makes the best trials differ.
        seed: of the forest behind fANOVA.

    Returns:
        By objective, shares in [0, 1] by parameter, the largest first; they sum to 1, or are all 0
        where the objective does not vary.

    Raises:
        ValueError: with fewer than ``FEWEST`` searched complete trials, or nothing that varies.
    """
    searched = results.searched
    if len(searched) < FEWEST:
        raise ValueError(
            f"importance needs at least {FEWEST} complete searched trials, study "
            f"{results.study.name!r} has {len(searched)}"
        )
    columns = _columns(searched)
    if not columns:
        raise ValueError(f"no parameter of study {results.study.name!r} has taken two values yet")
    return {
        metric: _shares(columns, [record.values[metric] for record in searched], evaluator, seed)
        for metric in results.metrics
    }


def _columns(records: Sequence[TrialRecord]) -> dict[str, list[Any]]:
    """Values of every parameter that varies, by name; ``OFF`` where a trial does not have it."""
    names = sorted({name for record in records for name in record.params})
    names = [name for name in names if f"{name}/weight" not in names]
    columns = {name: [record.params.get(name, OFF) for record in records] for name in names}
    return {name: column for name, column in columns.items() if len(set(map(str, column))) > 1}


def _shares(
    columns: Mapping[str, list[Any]], values: Sequence[float], evaluator: Evaluator, seed: int
) -> dict[str, float]:
    if len(set(values)) == 1:
        return dict.fromkeys(columns, 0.0)
    study = optuna.create_study(direction="maximize")
    coded = {name: _coded(column) for name, column in columns.items()}
    distributions = {name: distribution for name, (distribution, _) in coded.items()}
    for row, value in enumerate(values):
        params = {name: column[row] for name, (_, column) in coded.items()}
        study.add_trial(
            optuna.trial.create_trial(params=params, distributions=distributions, value=value)
        )
    found = optuna.importance.get_param_importances(study, evaluator=_evaluator(evaluator, seed))
    _let_trees_go()
    return {name: float(share) for name, share in found.items()}


def _let_trees_go() -> None:
    """Empty caches of Optuna's methods, which keep every tree of every forest for ever."""
    from optuna.importance._fanova._tree import _FanovaTree  # heavy, too

    for method in vars(_FanovaTree).values():
        if isinstance(method, _lru_cache_wrapper):
            method.cache_clear()


def _evaluator(name: Evaluator, seed: int) -> "BaseImportanceEvaluator":
    # heavy: imports scikit-learn and SciPy, which a study's first trials do not need
    from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator

    if name == "fanova":
        return FanovaImportanceEvaluator(seed=seed)
    return PedAnovaImportanceEvaluator()


def _coded(column: Sequence[Any]) -> tuple[BaseDistribution, list[Any]]:
    """A parameter as Optuna takes it: a range of numbers, or categories."""
    numbers = [value for value in column if not isinstance(value, str | bool)]
    if not numbers or len(numbers) + column.count(OFF) < len(column):
        return CategoricalDistribution(sorted(set(map(str, column)))), list(map(str, column))
    log = min(numbers) > 0 and max(numbers) / min(numbers) >= WIDE
    below = min(numbers) / WIDE**0.5 if log else min(numbers) - (max(numbers) - min(numbers)) / 2
    found = [below if value == OFF else float(value) for value in column]
    return FloatDistribution(min(found), max(found), log=log), found
