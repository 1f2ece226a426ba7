"""Where a study stands: what runs, what has ended and how, what it cost, how long it will take."""

import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from tuner.analysis.costs import hours
from tuner.analysis.reasons import kinds
from tuner.analysis.results import Results
from tuner.analysis.tables import front_rows
from tuner.records import TrialRecord, TrialState
from tuner.running.time_left import study_seconds_left, trial_seconds_left
from tuner.search.remaining import missing
from tuner.storage.directory import StudyDirectory
from tuner.storage.ledger import read_records


@dataclass(frozen=True, eq=False)
class Status:
    """A study at a moment.

    Attributes:
        directory: where it is.
        results: its trials.
        driver: process that runs it; None if nobody does.
        now: seconds since 1970.
    """

    directory: StudyDirectory
    results: Results
    driver: str | None
    now: float

    @property
    def to_come(self) -> int:
        """Trials that were not begun."""
        return self._missing - len(self.results.running)

    @cached_property
    def _missing(self) -> int:
        return missing(self.results.study, self.results.records)

    @property
    def state(self) -> str:
        """``running``, ``finished``, ``stopped`` with trials to go, or ``not begun``."""
        if self.driver:
            return "running"
        if not self.results.records:
            return "not begun"
        return "stopped" if self._missing else "finished"

    @property
    def changed(self) -> float | None:
        """When the last report came or the last trial began or ended, in seconds since 1970."""
        moments = [moment for r in self.results.records if (moment := r.last_heard)]
        return max((moment.timestamp() for moment in moments), default=None)

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the study has its trials, if it ran from now on; None if nothing says."""
        if not self._missing:
            return 0.0
        return study_seconds_left(self.results.study, self.results.records)

    @property
    def num_epochs(self) -> int:
        """Epochs trained so far."""
        return sum(len(record.reports) for record in self.results.records)

    @property
    def tried_again(self) -> list[TrialRecord]:
        """Trials that ran out of memory and were begun once more."""
        return [record for record in self.results.records if record.second_try]

    @property
    def hours_by_state(self) -> dict[str, float]:
        """Hours of GPUs, or of CPU places in a study without GPUs, by the trials' state."""
        records = self.results.records
        return {
            str(state): hours(self.results.study, (r for r in records if r.state == state))
            for state in TrialState
        }


def status_of(directory: StudyDirectory) -> Status:
    """Where a study stands now.

    Raises:
        ValueError: if there is no study in the directory.
    """
    study = directory.study()
    results = Results(study, read_records(study, directory.path))
    return Status(directory, results, directory.driver(), time.time())


def as_json(status: Status) -> dict[str, Any]:
    """The same for programs: times in seconds and ISO 8601, accuracies in [0, 1]."""
    results, changed = status.results, status.changed
    return {
        "study": results.study.name,
        "directory": str(status.directory),
        "state": status.state,
        "driver": status.driver,
        "last_change": changed and datetime.fromtimestamp(changed, UTC).isoformat(),
        "trials": {
            "asked": results.study.trials,
            **{str(s): n for s, n in _states(results).items()},
            "to_come": status.to_come,
        },
        "epochs": status.num_epochs,
        "seconds_left": status.seconds_left,
        "hours": {"of": "gpu" if results.study.resources.gpus else "cpu", **status.hours_by_state},
        "hypervolume": results.hypervolume,
        "front": [row for row in front_rows(results) if row["on_front"]],
        "running": [_running(record, status.now) for record in results.running],
        "failures": [
            {"trial": r.number, "pair": r.pair, "reason": r.reason} for r in results.failed
        ],
        "tried_again": {r.number: str(r.second_try) for r in status.tried_again},
        "stop_reasons": dict(kinds(results.stopped)),
    }


def _states(results: Results) -> dict[TrialState, int]:
    counted = Counter(record.state for record in results.records)
    return {state: counted[state] for state in TrialState}


def _running(record: TrialRecord, now: float) -> dict[str, Any]:
    return {
        "trial": record.number,
        "pair": record.pair,
        "epoch": len(record.reports),
        "epochs": record.config["epochs"],
        "metrics": {k: v for k, v in record.metrics.items() if k.startswith("val/")},
        "seconds_left": trial_seconds_left(record, now),
    }
