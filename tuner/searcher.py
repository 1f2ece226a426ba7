"""The study's search as a Ray searcher."""

from collections import deque
from typing import Any

from ray.tune.search import Searcher

from tuner.directory import StudyDirectory
from tuner.records import TrialRecord
from tuner.search import Search


class LedgerSearcher(Searcher):
    """Hands out unfinished trials first, then new ones, until the study has its number."""

    def __init__(self, search: Search, directory: StudyDirectory, *, at_once: int) -> None:
        super().__init__()
        self._search, self._directory, self._at_once = search, directory, at_once
        self._unfinished = deque(search.ledger.unfinished())
        self._live: set[str] = set()

    def suggest(self, trial_id: str) -> Any:  # Ray annotates it without its FINISHED
        """The config of the next trial; None while enough are live, ``FINISHED`` at the end."""
        if len(self._live) >= self._at_once:
            return None
        if self._unfinished:
            return self._started(trial_id, self._search.ledger.record(self._unfinished.popleft()))
        record = self._search.ask()
        if record is not None:
            return self._started(trial_id, record)
        # a trial that is live may still be lost, and then be made good
        return None if self._search.wants_more or self._live else str(Searcher.FINISHED)

    def _started(self, trial_id: str, record: TrialRecord) -> dict[str, Any]:
        self._live.add(trial_id)
        return {
            "number": record.number,
            "trial": dict(record.config),
            "directory": self._directory.trial_home(record.number),
            "teachers": self._directory.teachers_home,
        }

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Make room for another trial."""
        self._live.discard(trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the ledger is the record, and a new driver starts from it."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing; see ``save``."""
