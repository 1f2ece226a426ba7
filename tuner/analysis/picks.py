"""Picking one trial of a study by wish: ``knee``, ``max-robust``, ``robust>=0.4``, ``trial:7``."""

import re

from tuner.analysis.results import Results
from tuner.quantities import words
from tuner.records import TrialRecord, TrialState

NAMES = {"clean": "val/clean_accuracy", "robust": "val/robust_accuracy"}
CONSTRAINT = re.compile(r"(?P<name>clean|robust)\s*(?P<sign>>=|>)\s*(?P<bound>\d*\.?\d+)")
PICKS = "knee, max-clean, max-robust, robust>=0.4, clean>0.95, trial:7"


def pick(results: Results, which: str) -> TrialRecord:
    """One complete trial by wish.

    Args:
        results: whose objectives decide.
        which: ``knee``; ``max-clean`` or ``max-robust``; ``robust>=0.4``, ``clean>0.95``: of
            the trials that hold the constraint the best on the other objectives; ``trial:7``.

    Raises:
        ValueError: for any other wish, or if no trial fulfils it.
    """
    results.need_complete()
    if which == "knee":
        return results.knee
    if which in {f"max-{name}" for name in NAMES}:
        return results.best(_objective(results, which.removeprefix("max-")))
    if match := CONSTRAINT.fullmatch(which.strip()):
        metric = _objective(results, match["name"])
        return _within(results, metric, match["sign"], float(match["bound"]))
    if match := re.fullmatch(r"trial:(\d+)", which):
        return _numbered(results, int(match[1]))
    raise ValueError(f"unknown pick {which!r}; allowed are forms such as {PICKS}")


def _objective(results: Results, name: str) -> str:
    metric = NAMES[name]
    if metric not in results.metrics:
        raise ValueError(
            f"{name!r} means {metric}, which study {results.study.name!r} does not optimise; "
            f"its objectives: {', '.join(results.metrics)}"
        )
    return metric


def _within(results: Results, metric: str, sign: str, bound: float) -> TrialRecord:
    holds = {">=": float.__ge__, ">": float.__gt__}[sign]
    # the front suffices: whoever beats a trial that holds the constraint holds it too
    members = [record for record in results.front if holds(float(record.values[metric]), bound)]
    if not members:
        closest = results.best(metric)
        percent = "; write a share in [0, 1], not percent" if bound > 1 else ""
        raise ValueError(
            f"no complete trial has {words(metric)} {sign} {bound:g}; the best is "
            f"{closest.values[metric]:.4f} (trial {closest.number}){percent}"
        )
    others = [other for other in results.metrics if other != metric]
    return results.best(others[0] if others else metric, members)


def _numbered(results: Results, number: int) -> TrialRecord:
    states = {record.number: record.state for record in results.records}
    if states.get(number) != TrialState.complete:
        raise ValueError(
            f"trial {number} is {states.get(number, 'not in the study')}; "
            f"only complete trials can be picked, for example {results.knee.number}"
        )
    known = {record.number: record for record in [*results.records, *results.complete]}
    return known[number]
