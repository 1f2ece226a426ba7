"""Across the trials of a study: does robust accuracy fall with the gaps of the features?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.table import Table

from trainables.diagnostics.correlation import correlation
from trainables.diagnostics.pictures import Series, as_png, correlation_picture
from tuner.analysis.results import Results
from tuner.analysis.tables import attack_sentence, images_sentence
from tuner.quantities import words, written
from tuner.records import TrialRecord

ROBUST = "val/robust_accuracy"
GAPS = ("val/variance_gap", "val/covariance_gap", "val/gram_gap")
MOST_NAMED = 12


@dataclass(frozen=True)
class GapRow:
    """One gap over the complete trials: those that have it, and the numbers of those that lack."""

    metric: str
    records: Sequence[TrialRecord]
    missing: Sequence[int]

    @property
    def gaps(self) -> list[float]:
        """The gap of each record after its last epoch."""
        return [float(record.metrics[self.metric]) for record in self.records]

    @property
    def robust(self) -> list[float]:
        """Robust accuracy of each record after its last epoch, in [0, 1]."""
        return [float(record.metrics[ROBUST]) for record in self.records]

    @property
    def found(self) -> str:
        """R with its interval, or why there is none."""
        try:
            return str(correlation(self.gaps, self.robust))
        except ValueError as error:
            return str(error)

    def as_json(self) -> dict[str, Any]:
        """The points and what they say."""
        return {
            "metric": self.metric,
            "correlation": self.found,
            "points": [
                {"trial": record.number, "gap": gap, "robust_accuracy": robust}
                for record, gap, robust in zip(self.records, self.gaps, self.robust, strict=True)
            ],
            "missing": list(self.missing),
        }


def gaps_and_robustness(results: Results) -> list[GapRow]:
    """A row per gap, over the complete trials."""
    return [_row(results, metric) for metric in GAPS]


def _row(results: Results, metric: str) -> GapRow:
    having = [r for r in results.complete if metric in r.metrics and ROBUST in r.metrics]
    numbers = {record.number for record in having}
    missing = [r.number for r in results.complete if r.number not in numbers]
    return GapRow(metric, having, missing)


def correlation_table(results: Results, rows: Sequence[GapRow]) -> Table:
    """A line per complete trial, the most robust first."""
    table = Table(box=box.SIMPLE_HEAD, title=f"{results.study.name}: gaps after the last epoch")
    for column in ("trial", "teacher > student", "label"):
        table.add_column(column)
    for column in ("robust %", *_names(rows)):
        table.add_column(column, justify="right")
    measured = [record for record in results.complete if ROBUST in record.metrics]
    for record in sorted(measured, key=lambda record: -record.metrics[ROBUST]):
        cells = [_cell(record, row.metric) for row in rows if row.records]
        robust = written(ROBUST, record.metrics[ROBUST])
        table.add_row(str(record.number), record.pair, record.label, robust, *cells)
    return table


def _names(rows: Sequence[GapRow]) -> list[str]:
    return [words(row.metric) for row in rows if row.records]


def _cell(record: TrialRecord, metric: str) -> str:
    return written(metric, record.metrics[metric]) if metric in record.metrics else "-"


def correlation_lines(rows: Sequence[GapRow]) -> list[str]:
    """A sentence per gap, and one per gap that some trials lack."""
    found = [f"robust accuracy against {words(r.metric)}: {r.found}" for r in rows if r.records]
    lacking = [
        f"{words(row.metric)} is missing in {_named(row.missing)}; diagnostics.when in the study "
        "file has trials measure it, tuner diagnose measures one trial's checkpoint"
        for row in rows
        if row.missing
    ]
    return found + lacking


def _named(numbers: Sequence[int]) -> str:
    named = ", ".join(str(number) for number in numbers[:MOST_NAMED])
    more = f" and {len(numbers) - MOST_NAMED} more" if len(numbers) > MOST_NAMED else ""
    return f"trial{'s' if len(numbers) > 1 else ''} {named}{more}"


def correlation_png(results: Results, rows: Sequence[GapRow]) -> bytes:
    """Robust accuracy against each gap that trials have, one colour per student.

    Raises:
        ValueError: if no complete trial has any gap.
    """
    panels = [(f"{words(r.metric)}, relative", _by_student(r)) for r in rows if r.records]
    if not panels:
        raise ValueError(
            f"study {results.study.name!r} has no complete trial with a gap to correlate; "
            f"trials report {', '.join(GAPS)} when diagnostics.when is not never"
        )
    figure = correlation_picture(
        panels,
        title=f"{results.study.name}: robust accuracy against feature gaps, a point per trial",
        y_label="robust accuracy, %",
        note=f"After the last epoch, {images_sentence(results)}; {attack_sentence(results)}. "
        "Lines: least squares per student.",
    )
    return as_png(figure)


def _by_student(row: GapRow) -> list[Series]:
    students = sorted({record.student for record in row.records})
    points = list(zip(row.records, row.gaps, row.robust, strict=True))
    return [
        Series(
            student,
            [gap for record, gap, _ in points if record.student == student],
            [100 * robust for record, _, robust in points if record.student == student],
        )
        for student in students
    ]
