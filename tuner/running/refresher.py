"""The front, the report and the study's MLflow page, brought up to date while the study runs."""

import logging
import threading
import time
from collections.abc import Callable, Iterable

from tuner.analysis.results import Results
from tuner.records import TrialRecord, TrialState
from tuner.study import StudyConfig

logger = logging.getLogger(__name__)

SHORTEST = 30.0  # seconds between the end of a refresh and the next
SHARE = 20  # a refresh that takes a second is followed by a pause of 20 s
PER_TRIAL = 0.1  # seconds of pause per trial: each may have a new rank to be written


class Refresher:
    """Calls ``refresh`` in a thread of its own, not too often and only if a trial has ended.

    Nothing that happens there reaches the study: what raises is logged, and tried again later.

    Args:
        study: names the trials' space and objectives.
        records: the trials so far.
        refresh: gets the results as they stand; writes files, and passes them on.
        shortest: seconds between the end of a refresh and the next, at least.
    """

    def __init__(
        self,
        study: StudyConfig,
        records: Iterable[TrialRecord],
        refresh: Callable[[Results], None],
        *,
        shortest: float = SHORTEST,
    ) -> None:
        self._study, self._refresh, self._shortest = study, refresh, shortest
        self._records = {record.number: record for record in records}
        self._lock = threading.Lock()
        self._changed, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="refresh", daemon=True)

    def start(self) -> None:
        """Begin to wait for changes."""
        self._thread.start()

    def update(self, record: TrialRecord) -> None:
        """Note the newest record of a trial; returns at once."""
        with self._lock:
            before = self._records.get(record.number)
            self._records[record.number] = record
        if record.state != TrialState.running and (before is None or before.state != record.state):
            self._changed.set()

    def stop(self, timeout: float = 60) -> None:
        """End the thread, after the refresh that it may be at."""
        self._stopping.set()
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _work(self) -> None:
        pause = self._shortest
        while not self._stopping.wait(pause):
            self._changed.wait()
            if self._stopping.is_set():
                return
            self._changed.clear()
            pause = self._pause(self._seconds())

    def _seconds(self) -> float:
        """Refresh once; how long it took."""
        with self._lock:
            records = sorted(self._records.values(), key=lambda record: record.number)
        began = time.monotonic()
        try:
            self._refresh(Results(self._study, records))
        except Exception as error:  # whatever it is, the study goes on
            logger.warning("front and report were not brought up to date: %r", error)
            self._changed.set()
        return time.monotonic() - began

    def _pause(self, took: float) -> float:
        return max(self._shortest, SHARE * took, PER_TRIAL * len(self._records))
