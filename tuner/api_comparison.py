"""Several studies of one task side by side."""

from typing import Any

import numpy as np
import pandas as pd

from tuner.api import Study
from tuner.costs import hours
from tuner.differences import flatten
from tuner.front_geometry import Losses, hypervolume
from tuner.results import Results


def compare(*studies: Study) -> pd.DataFrame:
    """A row per study: trials, size of the front, best of each objective, hypervolume, hours.

    Hypervolume is measured from one corner for all: accuracy 0, and for any other objective the
    worst value in all studies.

    Args:
        *studies: two or more studies of the same data, threat model, validation attack,
            objectives and constraints.

    Raises:
        ValueError: if they cannot be compared, with what differs.
    """
    if len(studies) < 2:
        raise ValueError(f"a comparison needs at least 2 studies, got {len(studies)}")
    found = [study.results for study in studies]
    for other in found[1:]:
        require_same_task(found[0], other)
    corner = np.max([results.reference for results in found], axis=0)
    rows = [_row(results, corner) for results in found]
    return pd.DataFrame(rows, index=pd.Index([str(s.directory) for s in studies], name="study"))


def require_same_task(first: Results, second: Results) -> None:
    """Refuse to compare numbers that do not measure the same.

    Raises:
        ValueError: naming what differs.
    """
    ours, theirs = flatten(_task(first)), flatten(_task(second))
    for key in sorted(ours.keys() | theirs.keys()):
        if ours.get(key) != theirs.get(key):
            raise ValueError(
                f"studies {first.study.name!r} and {second.study.name!r} cannot be compared: {key} "
                f"is {ours.get(key)!r} in one and {theirs.get(key)!r} in the other; compare "
                "studies of the same data, threat, validation attack, objectives and constraints"
            )


def _task(results: Results) -> dict[str, Any]:
    base = results.study.base.model_dump(mode="json")
    return {
        "data": {key: value for key, value in base["data"].items() if key != "loading"},
        "threat": base["threat"],
        "validation attack": base["validation"]["attack"],
        "constraints": "; ".join(map(str, results.study.constraints)) or "none",
        "objectives": [f"{o.direction} {o.metric}" for o in results.study.objectives],
    }


def _row(results: Results, corner: Losses) -> dict[str, Any]:
    bests = {
        f"best {metric}": results.summary.get(f"best/{metric.split('/')[-1]}", float("nan"))
        for metric in results.metrics
    }
    return {
        "trials": len(results.records),
        "complete": len(results.complete),
        "front": len(results.front),
        **bests,
        "hypervolume": hypervolume(results.losses(results.feasible), corner),
        "hours": hours(results.study, results.records),
    }
