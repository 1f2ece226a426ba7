"""What MLflow's database holds of a study, compared with the ledger run by run."""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tuner.records import TrialRecord
from tuner.tracking import records as mlflow_records

Point = tuple[str, int, float]
"""Name, epoch and value."""


@dataclass
class StoredRun:
    """A run in the database: its status and its points."""

    status: str
    points: list[Point] = field(default_factory=list)


def stored_runs(database: Path) -> dict[int, list[StoredRun]]:
    """Runs that are not deleted by the trial that they are of."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as store:
        rows = store.execute(
            "select r.run_uuid, r.status, t.value from runs r join tags t on t.run_uuid ="
            " r.run_uuid where t.key = 'tuner.trial' and r.lifecycle_stage = 'active'"
        ).fetchall()
        runs = {uuid: StoredRun(status) for uuid, status, _ in rows}
        for uuid, *point in store.execute("select run_uuid, key, step, value from metrics"):
            if uuid in runs:
                runs[uuid].points.append((point[0], int(point[1]), float(point[2])))
    by_trial = defaultdict(list)
    for uuid, _, trial in rows:
        by_trial[int(trial)].append(runs[uuid])
    return by_trial


@dataclass
class Agreement:
    """How MLflow and the ledger compare.

    Attributes:
        runs: in MLflow, of trials.
        points: that MLflow has and should have.
        lost: points of the ledger that MLflow has not.
        doubled: points that MLflow has more than once, and runs above one per trial.
        foreign: points of no report, and runs with another status than their trial.
    """

    runs: int = 0
    points: int = 0
    lost: int = 0
    doubled: int = 0
    foreign: int = 0

    @property
    def whole(self) -> bool:
        """Whether every point is there once, and nothing else is."""
        return not (self.lost or self.doubled or self.foreign)


def compare(records: Sequence[TrialRecord], database: Path) -> Agreement:
    """Hold every point of every report against MLflow's database; costs are left out."""
    found, agreement = stored_runs(database), Agreement()
    for record in records:
        runs = found.get(record.number, [])
        agreement.runs += len(runs)
        agreement.doubled += max(0, len(runs) - 1)
        stored = Counter(point for run in runs for point in run.points if _compared(point))
        wanted = set(_points(record))
        agreement.points += len(wanted & stored.keys())
        agreement.lost += len(wanted - stored.keys())
        agreement.doubled += sum(times - 1 for times in stored.values())
        agreement.foreign += len(stored.keys() - wanted)
        status = mlflow_records.STATUS[record.state]
        agreement.foreign += any(run.status != status for run in runs)
    return agreement


def _points(record: TrialRecord) -> Iterator[Point]:
    for point in mlflow_records.metrics(record, 0):
        if _compared((point.key, point.step, point.value)):
            yield point.key, int(point.step), float(point.value)


def _compared(point: Point) -> bool:
    """All but what is worked out anew for MLflow: totals, ranks, and results of the study."""
    return point[0].startswith(("train/", "val/", "final/", "student/")) or (
        point[0] == "cost/seconds"
    )
