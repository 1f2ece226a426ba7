"""The files of every trial: its config when it begins, its metrics when it ends."""

import csv
import io

from tuner.records import TrialRecord, TrialState
from tuner.storage.atomic import write_atomically
from tuner.storage.directory import StudyDirectory, write_yaml


class TrialFiles:
    """A watcher that writes ``trials/<number>/config.yaml`` and ``metrics.csv``."""

    def __init__(self, directory: StudyDirectory) -> None:
        self._directory = directory
        self._again: set[int] = set()

    def update(self, record: TrialRecord) -> None:
        """Write what is missing; a file that is there is whole.

        The config is written again when a second try has changed it.
        """
        folder = self._directory.trial(record.number)
        changed = record.second_try is not None and record.number not in self._again
        if changed or not (folder / "config.yaml").is_file():
            write_yaml(folder / "config.yaml", dict(record.config))
        if changed:
            self._again.add(record.number)
        if record.state != TrialState.running and not (folder / "metrics.csv").is_file():
            write_atomically(folder / "metrics.csv", metrics_csv(record))


def metrics_csv(record: TrialRecord) -> str:
    """A line per epoch, a column per metric."""
    names = sorted({name for report in record.reports for name in report} - {"epoch"})
    text = io.StringIO()
    writer = csv.DictWriter(text, ["epoch", *names])
    writer.writeheader()
    writer.writerows(dict(report) for report in record.reports)
    return text.getvalue()
