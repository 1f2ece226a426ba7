"""A study's results as pandas frames; accuracies in [0, 1], times in seconds."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from tuner.analysis.costs import hours, seconds
from tuner.analysis.replicates import groups
from tuner.analysis.results import Results
from tuner.quantities import interval, is_accuracy, num_images
from tuner.records import SYMBOLS, TrialRecord

NOT_METRICS = ("epoch", "timestamp")


def trials_frame(results: Results) -> pd.DataFrame:
    """A row per trial, whatever became of it, by ``trial``.

    Columns: what it is (``state``, ``label``, ``method``, ``teacher``, ``student``, ``seed``), how
    it went (``epochs``, ``seconds``, ``reason``, ``repeats``), the weights (``alpha``, ``beta``,
    …; 0 where a term is off), what the search chose, by config path, and the last report's metrics.
    """
    rows = [
        {**_about(record), **record.weights, **record.params, **_final(record)}
        for record in results.records
    ]
    columns = ["state", "label", "method", "teacher", "student", "seed", "epochs", "seconds"]
    return _indexed(rows, [*columns, "reason", "repeats", *SYMBOLS])


def _about(record: TrialRecord) -> dict[str, Any]:
    return {
        "trial": record.number,
        "state": str(record.state),
        "label": record.label,
        "method": record.config["method"]["name"],
        "teacher": record.teacher,
        "student": record.student,
        "seed": record.config["seed"],
        "epochs": len(record.reports) and int(record.metrics["epoch"]),
        "seconds": seconds(record),
        "reason": record.reason,
        "repeats": record.repeats,
    }


def _final(record: TrialRecord) -> dict[str, float]:
    return {name: value for name, value in record.metrics.items() if name not in NOT_METRICS}


def _indexed(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """Rows by trial; an empty frame has the columns all the same."""
    frame = pd.DataFrame(list(rows)) if rows else pd.DataFrame(columns=["trial", *columns])
    return frame.set_index("trial")


def curves_frame(results: Results) -> pd.DataFrame:
    """A row per trial and epoch, by ``trial`` and ``epoch``: ``time`` (UTC) and all metrics."""
    rows = [
        {
            "trial": record.number,
            "epoch": int(report["epoch"]),
            "time": pd.Timestamp(report["timestamp"], unit="ms", tz="UTC"),
            **{name: value for name, value in report.items() if name not in NOT_METRICS},
        }
        for record in results.records
        for report in record.reports
    ]
    frame = pd.DataFrame(rows) if rows else pd.DataFrame(columns=["trial", "epoch", "time"])
    return frame.set_index(["trial", "epoch"])


def front_frame(results: Results, records: Sequence[TrialRecord] | None = None) -> pd.DataFrame:
    """A row per trial of the front, by ``trial``, the best on the first objective first.

    Objectives are means over ``seeds`` seeds; ``…_sd`` is the standard deviation over them, and
    ``…_low`` and ``…_high`` the Wilson 95 % interval of an accuracy on ``images`` images.

    Args:
        results: the study.
        records: other complete trials to show the same way.
    """
    members = results.front if records is None else records
    rows = [_front_row(results, record) for record in members]
    columns = [*results.metrics, "seeds", "images", "knee", "label", "method", "teacher", "student"]
    return _indexed(rows, columns)


def _front_row(results: Results, record: TrialRecord) -> dict[str, Any]:
    about = {key: _about(record)[key] for key in ("label", "method", "teacher", "student")}
    values: dict[str, Any] = {}
    for metric in results.metrics:
        values[metric] = record.values[metric]
        values[f"{metric}_sd"] = record.spread.get(metric)
        ends = interval(record, metric) if is_accuracy(metric) else None
        if ends:
            values[f"{metric}_low"], values[f"{metric}_high"] = ends
    return {
        "trial": record.number,
        **values,
        "seeds": record.replicates,
        "images": num_images(record),
        "knee": record.number == results.knee.number,
        **about,
        "parameters": record.metrics.get("student/parameters"),
        **record.weights,
    }


def hypervolume_frame(results: Results) -> pd.DataFrame:
    """Hypervolume after each complete trial in the order of their ends, by ``complete`` (1, 2, …).

    Columns: ``trial``, ``hypervolume``, ``hours`` that all complete trials so far, their replicates
    included, held together (of GPUs; of CPU places where the study has no GPU).
    """
    known = groups(results.records)
    spent, rows = 0.0, []
    for position, (number, volume) in enumerate(results.hypervolume_history, start=1):
        spent += hours(results.study, known[number])
        rows.append((position, number, volume, spent))
    frame = pd.DataFrame(rows, columns=["complete", "trial", "hypervolume", "hours"])
    return frame.set_index("complete")
