"""The study's search as a Ray searcher."""

from collections import deque
from typing import Any

from ray.tune.search import Searcher

from tuner.records import TrialRecord, TrialState
from tuner.search.search import Search
from tuner.storage.directory import StudyDirectory


class LedgerSearcher(Searcher):
    """Hands out unfinished trials first, then new ones, until the study has its number.

    A trial that ran out of memory is handed out once more; Ray sees another trial of its own.
    """

    def __init__(
        self, search: Search, directory: StudyDirectory, *, at_once: int, workers: int = 1
    ) -> None:
        super().__init__()
        self._search, self._directory = search, directory
        self._at_once, self._workers = at_once, workers
        self._unfinished: deque[int] = deque()
        self._alone: deque[int] = deque()
        self._live: dict[str, int] = {}
        for number in search.ledger.unfinished():
            self._queue(number)

    def _queue(self, number: int) -> None:
        """One that needs a GPU to itself comes last: until then others hold parts of each."""
        second_try = self._search.ledger.record(number).second_try
        alone = second_try is not None and second_try.alone
        (self._alone if alone else self._unfinished).append(number)

    def suggest(self, trial_id: str) -> Any:  # Ray annotates it without its FINISHED
        """The config of the next trial; None while enough are live, ``FINISHED`` at the end."""
        if len(self._live) >= self._at_once:
            return None
        record = self._next_of(self._unfinished) or self._search.ask()
        if record is None and not self._search.wants_more:
            record = self._next_of(self._alone)
        if record is not None:
            return self._started(trial_id, record)
        # a trial that is live may still be lost, and then be made good
        return None if self._search.wants_more or self._live else str(Searcher.FINISHED)

    def _next_of(self, numbers: deque[int]) -> TrialRecord | None:
        """The next of them that has not ended meanwhile."""
        while numbers:
            record = self._search.ledger.record(numbers.popleft())
            if record.state == TrialState.running:
                return record
        return None

    def _started(self, trial_id: str, record: TrialRecord) -> dict[str, Any]:
        self._live[trial_id] = record.number
        failed_starts = self._search.starts.begin(record.number)
        return {
            "number": record.number,
            "trial": dict(record.config),
            "directory": self._directory.trial_home(record.number),
            "teachers": self._directory.teachers_home,
            "workers": self._workers,
            "attempt": failed_starts + (record.second_try is not None),
            "alone": record.second_try is not None and record.second_try.alone,
        }

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Make room for another trial; queue it again if memory ran out, or it never began."""
        number = self._live.pop(trial_id, None)
        if number is None:
            return
        tried_again = self._search.ledger.record(number).second_try is not None
        if tried_again or self._search.starts.is_to_begin_again(number):
            self._queue(number)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the ledger is the record, and a new driver starts from it."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing; see ``save``."""
