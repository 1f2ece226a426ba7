"""The driver of a study without Ray, for a disk that fails: ``python -m … FOLDER TRIALS EPOCHS``.

As in a session: claim, ledger, tracker (SQLite), the trials' files, then front and report. Every
report is noted in ``FOLDER/acknowledged``, which does not fail, after the search has stored it.
"""

import sys
from pathlib import Path

from benchmarks.load.live import LiveArm, RecordedRuns, run_live, study_of
from tuner.analysis.results import Results
from tuner.exporting.front import write_front
from tuner.records import TrialRecord
from tuner.reporting.writing import write_as_it_stands
from tuner.storage.directory import StudyDirectory
from tuner.storage.stopping import told_in_a_sentence
from tuner.storage.trial_files import TrialFiles
from tuner.tracking.tracker import Tracker, default_uri

FAULTS = {"scheduler": {"name": "fifo"}, "sampler": {"name": "random"}}


class Notes:
    """A watcher that notes what the search has stored, on another disk."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)

    def update(self, record: TrialRecord) -> None:
        if record.reports:
            self._file.write(f"{record.number} {len(record.reports)}\n")


def run(folder: Path, trials: int, epochs: int) -> None:
    """Run the study from wherever it stands.

    Raises:
        OSError: in a sentence, if the disk refuses what has to be kept, or MLflow's database.
    """
    study = study_of("failing", trials, epochs, **FAULTS)
    directory = StudyDirectory(folder / "runs" / study.name)
    with told_in_a_sentence(directory.path), directory.lock():
        directory.claim(study)
        tracker = Tracker(study, directory.path, default_uri(directory.path))
        tracker.start()
        files = TrialFiles(directory)
        arm = LiveArm(study, directory, [Notes(folder / "acknowledged"), files, tracker], slots=4)
        run_live(arm, slots=4, run=RecordedRuns(epochs))
        for record in arm.ledger.records():
            files.update(record)
            tracker.update(record)
        results = Results(study, arm.ledger.records())
        write_front(results, directory.front)
        write_as_it_stands(directory, results)
        tracker.close(status="FINISHED", timeout=300)


if __name__ == "__main__":
    try:
        run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    except (OSError, ValueError) as error:
        print(f"error: {error}")
        raise SystemExit(2) from None
