"""The newest state of every trial of a study under way, and what can be said of it at once."""

import time
from collections import Counter
from collections.abc import Iterable

from tuner.analysis.results import Results
from tuner.records import TrialRecord, TrialState
from tuner.running.time_left import clock, study_seconds_left
from tuner.study import StudyConfig


class Tally:
    """Counts, time left and the front so far; a front is computed only after a trial has ended.

    Args:
        study: what was asked for.
        records: the trials so far; epochs in them say nothing of how fast this session is.
    """

    def __init__(self, study: StudyConfig, records: Iterable[TrialRecord]) -> None:
        self.study = study
        self._records = {record.number: record for record in records}
        self._results: Results | None = None
        self._epochs_before = self._epochs_done()
        self._began = time.monotonic()

    def begin(self) -> None:
        """Trials run from now on."""
        self._began = time.monotonic()

    def update(self, record: TrialRecord) -> None:
        """Take note of a trial."""
        self._records[record.number] = record
        if record.state != TrialState.running:
            self._results = None

    @property
    def running(self) -> list[TrialRecord]:
        """Trials under way, by number."""
        found = [r for r in self._records.values() if r.state == TrialState.running]
        return sorted(found, key=lambda record: record.number)

    @property
    def results(self) -> Results:
        """What the study has come to when a trial last ended."""
        if self._results is None:
            self._results = Results(self.study, list(self._records.values()))
        return self._results

    @property
    def tried_again(self) -> set[int]:
        """Numbers of the trials that ran out of memory and were begun once more."""
        return {number for number, record in self._records.items() if record.second_try}

    def states(self) -> Counter[TrialState]:
        """How many trials are in which state."""
        return Counter(record.state for record in self._records.values())

    def counts(self) -> str:
        """Trials done, running, stopped and failed, and the time left, in a line."""
        states = self.states()
        ended = sum(states.values()) - states[TrialState.running]
        words = [
            f"{ended}/{self.study.trials} trials done",
            f"{states[TrialState.running]} running",
        ]
        for state in (TrialState.stopped, TrialState.failed):
            words += [f"{states[state]} {state}"] if states[state] else []
        if again := len(self.tried_again):
            words.append(f"{again} tried again")
        left = self.seconds_left()
        return ", ".join(
            [*words, "time left unknown" if left is None else f"about {clock(left)} left"]
        )

    def seconds_left(self) -> float | None:
        """Seconds at this session's speed, at first at that of earlier ones; None without any."""
        done = self._epochs_done()
        new = done - self._epochs_before
        if not new:
            return study_seconds_left(self.study, list(self._records.values()))
        left = self.study.trials * self.study.base.epochs - done
        return (time.monotonic() - self._began) / new * max(left, 0)

    def _epochs_done(self) -> float:
        """Epochs behind us; a trial that ended early is wholly behind us."""
        planned = self.study.base.epochs
        return sum(
            len(record.reports) if record.state == TrialState.running else planned
            for record in self._records.values()
        )
