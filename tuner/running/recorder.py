"""What happens in Ray, passed on to the search and shown to whoever watches."""

import logging
from collections.abc import Sequence
from typing import Any, Protocol

from ray import tune
from ray.tune.experiment import Trial

from tuner.records import Cause, TrialRecord
from tuner.running.deaths import last_words, out_of_memory
from tuner.search.search import Search

logger = logging.getLogger(__name__)


class Watcher(Protocol):
    """Someone who wants to see every change of a trial."""

    def update(self, record: TrialRecord) -> None:
        """The newest state of a trial."""


class Recorder(tune.Callback):
    """Tells watchers of every change, and the search of the ends that no scheduler hears of.

    A trial ends only if it reported its last epoch or a failure, was stopped, or was given up by
    Ray: one that is merely interrupted stays unfinished.
    """

    def __init__(self, search: Search, watchers: Sequence[Watcher]) -> None:
        self._search, self._watchers = search, list(watchers)

    def __getstate__(self) -> dict[str, Any]:
        """Watchers hold threads and terminals; Ray's snapshots go without them."""
        return {**self.__dict__, "_watchers": []}

    def on_trial_start(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Show that a trial has begun, or begun again."""
        self._tell(self._search.ledger.record(trial.config["number"]))

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Store a last epoch, which Ray does not show its scheduler; the others are stored."""
        number = trial.config["number"]
        if result["done"]:
            self._search.report(number, result["report"], failure=result["failure"], done=True)
        self._tell(self._search.ledger.record(number))

    def on_trial_error(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Ray gave the trial up: its process died too often, or before it was ready."""
        words, number = last_words(trial), trial.config["number"]
        begins_again = self._search.starts.is_to_begin_again(number)
        if begins_again or out_of_memory(words):  # the scheduler has seen to it
            self._tell(self._search.ledger.record(number))
        else:
            last = (words or "no more is known").splitlines()[-1]
            self._tell(self._search.fail(number, f"{Cause.worker_died}: {last}"))

    def _tell(self, record: TrialRecord) -> None:
        for watcher in self._watchers:
            try:
                watcher.update(record)
            except OSError as error:  # what they write can be written again from the ledger
                logger.warning("trial %d: %s; to be written again at the end", record.number, error)
