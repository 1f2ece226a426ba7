"""Several studies of one task side by side."""

from typing import Any

import pandas as pd

from tuner.analysis.comparison import Comparison, Row, whole_studies
from tuner.analysis.costs import hours
from tuner.api.study import Study


def compare(*studies: Study, seed: int = 0) -> pd.DataFrame:
    """A row per study, the largest hypervolume first; as ``tuner compare``.

    Columns are trials, complete ones, size of the front, trials that no study's beats
    (``unbeaten``), best of each objective, hypervolume from one corner for all, the ends of its
    95 % intervals over trials and over images (see ``bootstrap``), and hours.

    Args:
        *studies: two or more studies of the same data, threat model, validation attack,
            objectives and constraints, each with a complete trial.
        seed: of the bootstrap.

    Raises:
        ValueError: if they cannot be compared, with what differs.
    """
    if len(studies) < 2:
        raise ValueError(f"a comparison needs at least 2 studies, got {len(studies)}")
    named = [(str(study.directory), study.results) for study in studies]
    rows = Comparison(whole_studies(named), seed).rows
    index = pd.Index([row.contender.name for row in rows], name="study")
    return pd.DataFrame([_columns(row) for row in rows], index=index)


def _columns(row: Row) -> dict[str, Any]:
    results, unknown = row.contender.results, (float("nan"), float("nan"))
    bests = {
        f"best {metric}": results.summary[f"best/{metric.split('/')[-1]}"]
        for metric in results.metrics
    }
    over_trials, over_images = row.over_trials, row.over_images or unknown
    return {
        "trials": len(results.records),
        "complete": len(results.complete),
        "front": len(results.front),
        "unbeaten": len(row.on_front),
        **bests,
        "hypervolume": row.hypervolume,
        "over trials, low": over_trials[0],
        "over trials, high": over_trials[1],
        "over images, low": over_images[0],
        "over images, high": over_images[1],
        "hours": hours(results.study, results.records),
    }
