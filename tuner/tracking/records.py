"""A trial record in MLflow's words: params, metrics, tags and a status. Pure functions."""

import json
import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from tuner.analysis import costs
from tuner.records import Metrics, TrialRecord, TrialState
from tuner.tracking.client import Metric

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
    return {**dict(flat(record.config)), **short, **weights}


def flat(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every leaf of a nested config with its path; text as it is, all else as JSON."""
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}/")
        else:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value)


def metrics(record: TrialRecord, start: int, gpu_seconds: float = 0.0) -> list[Metric]:
    """Points of the reports from index ``start`` on; of a trial that ended, its cost, too.

    Of a complete trial also its final metrics. Steps are epochs and timestamps are the reports'
    own, so that logging a point again changes nothing. NaN and infinities are left out, as MLflow
    would store an infinity as 1.8e308.

    Args:
        record: the trial.
        start: how many reports are there already.
        gpu_seconds: what it has cost so far.
    """
    points = [point for report in record.reports[start:] for point in _points(report, report)]
    if record.state is not TrialState.running and record.reports:
        points += _points({**final(record), **_cost(record, gpu_seconds)}, record.metrics)
    return points


def final(record: TrialRecord) -> Metrics:
    """What a complete trial ended with, by its name in MLflow; of others nothing."""
    if record.state is not TrialState.complete:
        return {}
    last = {key: value for key, value in record.metrics.items() if key.startswith("val/")}
    return {final_name(key): value for key, value in {**last, **record.values}.items()}


def _cost(record: TrialRecord, gpu_seconds: float) -> dict[str, float]:
    """Nothing for trials of before their cost was reported: it is unknown, not 0."""
    if not any(costs.SECONDS in report for report in record.reports):
        return {}
    return {"cost/total_seconds": costs.seconds(record), "cost/gpu_seconds": gpu_seconds}


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
        "tuner.method": str(record.config["method"]["name"]),
        "tuner.teacher": record.teacher or "none",
        "tuner.student": record.student,
        "tuner.pair": record.pair,
        "tuner.repeats": "" if record.repeats is None else str(record.repeats),
        "tuner.retries": "" if record.retries is None else str(record.retries),
        "tuner.memory": "" if record.second_try is None else str(record.second_try),
        "tuner.reason": record.reason,
        "tuner.cause": record.cause or "",
        "tuner.non_finite": ", ".join(sorted(non_finite)),
        "tuner.epochs": str(len(record.reports)),
    }


def cost_tags(record: TrialRecord, gpu_seconds: float) -> dict[str, str]:
    """Seconds and GPU-seconds of a trial that has ended, as text; empty before."""
    if record.state is TrialState.running:
        return {}
    names = {"cost/total_seconds": "tuner.seconds", "cost/gpu_seconds": "tuner.gpu_seconds"}
    return {names[key]: f"{value:.1f}" for key, value in _cost(record, gpu_seconds).items()}


def run_name(record: TrialRecord) -> str:
    """What the table of runs shows: ``trial 7: teacher > student``."""
    name = f"trial {record.number}: {record.pair}"
    return f"{name} ({record.label})" if record.is_baseline else name
