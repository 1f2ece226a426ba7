"""The study's ledger as a Ray searcher."""

from collections import deque
from collections.abc import Sequence
from typing import Any

from ray.tune.search import Searcher

from tuner.directory import StudyDirectory
from tuner.ledger import Ledger


class LedgerSearcher(Searcher):
    """Hands out unfinished trials first, then new ones, until the study has its number.

    It only proposes. What becomes of a trial is written to the ledger by ``Recorder``.
    """

    def __init__(
        self, ledger: Ledger, directory: StudyDirectory, unfinished: Sequence[int], *, at_once: int
    ) -> None:
        super().__init__()
        self._ledger, self._directory, self._at_once = ledger, directory, at_once
        self._unfinished = deque(unfinished)
        self._live: set[str] = set()

    def suggest(self, trial_id: str) -> Any:  # Ray annotates it without its FINISHED
        """The config of the next trial; None while enough are live, ``FINISHED`` at the end."""
        if len(self._live) >= self._at_once:
            return None
        number = self._unfinished.popleft() if self._unfinished else self._ledger.propose()
        if number is None:
            return str(Searcher.FINISHED)
        self._live.add(trial_id)
        return {
            "number": number,
            "trial": dict(self._ledger.record(number).config),
            "directory": str(self._directory.trial(number).resolve()),
            "teachers": str(self._directory.teachers.resolve()),
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
