"""What happens in Ray, written to the ledger and shown to whoever watches."""

import csv
import io
from collections.abc import Sequence
from typing import Any, Protocol

from ray import tune
from ray.tune.experiment import Trial

from tuner.atomic import write_atomically
from tuner.directory import StudyDirectory, write_yaml
from tuner.ledger import Ledger
from tuner.records import TrialRecord, TrialState


class Watcher(Protocol):
    """Someone who wants to see every change of a trial."""

    def update(self, record: TrialRecord) -> None:
        """The newest state of a trial."""


class Recorder(tune.Callback):
    """Writes every report and every end of a trial to the ledger, then tells the watchers.

    A trial ends here only if it reported its last epoch or a failure, or if Ray gave it up: one
    that is merely interrupted stays unfinished.
    """

    def __init__(
        self, ledger: Ledger, directory: StudyDirectory, watchers: Sequence[Watcher]
    ) -> None:
        self._ledger, self._directory, self._watchers = ledger, directory, list(watchers)

    def __getstate__(self) -> dict[str, Any]:
        """Watchers hold threads and terminals; Ray's snapshots go without them."""
        return {**self.__dict__, "_watchers": []}

    def on_trial_start(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Write the config where the trial's files are."""
        record = self._ledger.record(trial.config["number"])
        write_yaml(self._directory.trial(record.number) / "config.yaml", dict(record.config))
        self._tell(record)

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Store an epoch's metrics, and the end if this was the last."""
        number, report = trial.config["number"], result["report"]
        if self._ledger.record(number).state != TrialState.running:
            return
        if len(report) > 1:  # more than its epoch
            self._tell(self._ledger.report(number, report))
        if result["failure"]:
            self._end(self._ledger.fail(number, result["failure"]))
        elif result["done"]:
            self._end(self._ledger.complete(number))

    def on_trial_error(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Ray gave the trial up: its process died more often than ``max_failures``."""
        record = self._ledger.record(trial.config["number"])
        if record.state == TrialState.running:
            self._end(self._ledger.fail(record.number, f"worker died: {_last_line(trial)}"))

    def _end(self, record: TrialRecord) -> None:
        place = self._directory.trial(record.number) / "metrics.csv"
        write_atomically(place, metrics_csv(record))
        self._tell(record)

    def _tell(self, record: TrialRecord) -> None:
        for watcher in self._watchers:
            watcher.update(record)


def metrics_csv(record: TrialRecord) -> str:
    """A line per epoch, a column per metric."""
    names = sorted({name for report in record.reports for name in report} - {"epoch"})
    text = io.StringIO()
    writer = csv.DictWriter(text, ["epoch", *names])
    writer.writeheader()
    writer.writerows(dict(report) for report in record.reports)
    return text.getvalue()


def _last_line(trial: Trial) -> str:
    error = trial.get_error()
    return str(error).strip().splitlines()[-1] if error else "no more is known"
