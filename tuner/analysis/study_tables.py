"""Tables beside the front: what differs among its members, and which trials did not complete."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuner.analysis.results import Results
from tuner.analysis.tables import front_rows
from tuner.differences import flatten
from tuner.records import TrialRecord, TrialState

Cell = str | int | float | bool | None


@dataclass(frozen=True)
class PlainTable:
    """Headings, and rows of JSON types."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    def as_csv(self) -> str:
        """The table as text, quoted where it must be."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([self.columns, *self.rows])
        return text.getvalue()

    def as_json(self) -> dict[str, Any]:
        """The form in which MLflow shows a file as a table."""
        return {"columns": list(self.columns), "data": [list(row) for row in self.rows]}


def front_plain_table(results: Results) -> PlainTable:
    """The front and the baselines that it beats; see ``tables.row`` for the columns."""
    rows = front_rows(results)
    return PlainTable(list(rows[0]) if rows else [], [list(row.values()) for row in rows])


def failures_table(results: Results) -> PlainTable:
    """Every trial that failed, then every one that was stopped early, with reasons, by number."""
    columns = ["trial", "state", "cause", "reason", "pair", "method", "epochs trained"]
    return PlainTable(columns, [_ended(record) for record in [*results.failed, *results.stopped]])


def _ended(record: TrialRecord) -> list[Cell]:
    cause = record.cause.value if record.cause else "early stopping"
    if record.state is TrialState.failed:
        # the reason begins with the cause, which has a column of its own
        reason = record.reason.removeprefix(f"{cause}: ")
    else:
        reason = record.reason
    method = str(record.config["method"]["name"])
    state = record.state.value
    return [record.number, state, cause, reason, record.pair, method, len(record.reports)]


def differences_table(results: Results) -> PlainTable:
    """What differs among the members of the front: a row per setting, a column per member.

    A term that is on has its weight, and its other settings where members that have it differ.
    """
    members = results.front
    settings = [_settings(record) for record in members]
    names = list(dict.fromkeys(name for setting in settings for name in setting))
    rows = [
        [name, *(setting.get(name, "-") for setting in settings)]
        for name in names
        if len({str(setting[name]) for setting in settings if name in setting}) > 1
    ]
    return PlainTable(["setting", *(f"trial {member.number}" for member in members)], rows)


def _settings(record: TrialRecord) -> Mapping[str, Cell]:
    """Objectives, teacher, and the whole config by path; lists as text."""
    terms = record.config["alignments"]
    weights = {f"alignments/{name}": "off" for name, term in terms.items() if term is None}
    on = {
        f"alignments/{name}": float(term["weight"])
        for name, term in terms.items()
        if term is not None
    }
    config = flatten({**record.config, "alignments": {n: t for n, t in terms.items() if t}})
    rest = {name: _cell(value) for name, value in config.items() if name not in _weights(on)}
    return {**record.values, "teacher/name": record.teacher or None, **weights, **on, **rest}


def _weights(terms: Mapping[str, float]) -> set[str]:
    return {f"{term}/weight" for term in terms}


def _cell(value: object) -> Cell:
    return value if isinstance(value, str | int | float) or value is None else str(value)
