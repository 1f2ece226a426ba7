"""A trial record in MLflow's words: params, metrics, tags and a status. Pure functions."""

import json
import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from tuner.mlflow_client import Metric
from tuner.records import Metrics, TrialRecord, TrialState

STATUS = {
    TrialState.running: "RUNNING",
    TrialState.complete: "FINISHED",
    TrialState.stopped: "KILLED",
    TrialState.failed: "FAILED",
}
NOT_METRICS = {"epoch", "timestamp"}


def milliseconds(moment: datetime | None) -> int | None:
    """Milliseconds since 1970, the unit of every time in MLflow."""
    return None if moment is None else int(moment.timestamp() * 1000)


def final_name(metric: str) -> str:
    """``val/clean_accuracy`` as ``final/clean_accuracy``: the value that a trial ended with."""
    return f"final/{metric.partition('/')[2]}"


def params(record: TrialRecord) -> dict[str, str]:
    """The whole config by path, and what people look for by its short name."""
    short = {"teacher": record.teacher or "none", "student": record.student}
    weights = {symbol: f"{weight:g}" for symbol, weight in record.weights.items()}
    return {**dict(_flat(record.config)), **short, **weights}


def _flat(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}/")
        else:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value)


def metrics(record: TrialRecord, start: int) -> list[Metric]:
    """Points of the reports from index ``start`` on and, of a complete trial, its final metrics.

    Steps are epochs and timestamps are the reports' own, so that logging a point again changes
    nothing. NaN and infinities are left out, as MLflow would store an infinity as 1.8e308.
    """
    points = [point for report in record.reports[start:] for point in _points(report, report)]
    if record.state is TrialState.complete and record.reports:
        points += _points(_final(record), record.metrics)
    return points


def _final(record: TrialRecord) -> Metrics:
    last = {key: value for key, value in record.metrics.items() if key.startswith("val/")}
    return {final_name(key): value for key, value in {**last, **record.values}.items()}


def _points(values: Metrics, when: Metrics) -> list[Metric]:
    return [
        Metric(key, float(value), timestamp=int(when["timestamp"]), step=int(when["epoch"]))
        for key, value in values.items()
        if key not in NOT_METRICS and math.isfinite(value)
    ]


def tags(record: TrialRecord) -> dict[str, str]:
    """What changes as a trial goes on; ``tuner.epochs`` tells how many reports MLflow holds."""
    non_finite = {
        key
        for report in record.reports
        for key, value in report.items()
        if not math.isfinite(value)
    }
    return {
        "tuner.state": record.state.value,
        "tuner.label": record.label,
        "tuner.pair": record.pair,
        "tuner.reason": record.reason,
        "tuner.non_finite": ", ".join(sorted(non_finite)),
        "tuner.epochs": str(len(record.reports)),
    }


def run_name(record: TrialRecord) -> str:
    """What the table of runs shows: ``trial 7: teacher > student``."""
    name = f"trial {record.number}: {record.pair}"
    return f"{name} ({record.label})" if record.is_baseline else name
