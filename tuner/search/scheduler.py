"""The study's search as a Ray scheduler: what becomes of a trial after an epoch."""

from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from tuner.records import TrialState
from tuner.running.deaths import last_words, out_of_memory
from tuner.search.search import Search


class LedgerScheduler(FIFOScheduler):
    """Hands every report to the search and tells Ray to stop what has ended.

    Ray asks the scheduler before anyone else hears of a result, so the ledger holds it first.
    """

    _supports_buffered_results = False

    def __init__(self, search: Search) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._search = search

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """Nothing to set: the study has its objectives."""
        return True

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Store and judge an epoch.

        Args:
            tune_controller: not needed.
            trial: Ray's; its config holds our number.
            result: flattened by Ray: ``report/<metric>``, ``failure``, ``done``.
        """
        report = {
            key.removeprefix("report/"): value
            for key, value in result.items()
            if key.startswith("report/")
        }
        record = self._search.report(
            trial.config["number"], report, failure=result["failure"], done=bool(result["done"])
        )
        # one that is tried again goes on as another trial of Ray's
        running = record.state == TrialState.running and not result["failure"]
        return TrialScheduler.CONTINUE if running else TrialScheduler.STOP

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """Take a trial from Ray: it is not to run as it was, or Ray would not begin it again."""
        reason, number = out_of_memory(last_words(trial)), trial.config["number"]
        if not reason and trial.status == Trial.PENDING:  # of these Ray restarts none by itself
            self._search.starts.fail(number)
        if reason:
            epoch = len(self._search.ledger.record(number).reports)
            self._search.report(number, {"epoch": epoch}, failure=reason)
            tune_controller.request_stop_trial(trial)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: rungs are rebuilt from the ledger."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing; see ``save``."""
