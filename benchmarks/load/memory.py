"""How much memory the driver holds after many trials, with all that a study refreshes."""

import argparse
import gc
import json
import logging
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from benchmarks.load.live import LiveArm, RecordedRuns, run_live, study_of
from tuner.analysis.results import Results
from tuner.exporting.front import write_front
from tuner.pictures.importance import known_importances
from tuner.reporting.writing import write_as_it_stands
from tuner.running.progress import LineProgress
from tuner.running.refresher import Refresher
from tuner.running.tally import Tally
from tuner.storage.directory import StudyDirectory
from tuner.storage.trial_files import TrialFiles
from tuner.study import StudyConfig
from tuner.tracking.tracker import Publication, Tracker, default_uri

SLOTS = 16
REFRESH = 3.0
"""Seconds between two refreshes at least; 30 in a real study, whose trials take longer."""


def measure(trials: int, epochs: int) -> dict[str, Any]:
    """A study in a fresh process; what ``measure_here`` found there."""
    command = [sys.executable, "-m", "benchmarks.load.memory", str(trials), str(epochs)]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


def measure_here(trials: int, epochs: int) -> dict[str, Any]:
    """Resident memory of this process, in 10^6 bytes.

    The searcher, the files, the front, the report, the progress lines and MLflow (SQLite) are as in
    a session; the first refresh is made before the first measurement, as it loads libraries.
    """
    logging.getLogger("tuner").setLevel(logging.ERROR)
    study = study_of("memory", trials, epochs, scheduler={"name": "fifo"})
    with tempfile.TemporaryDirectory() as name:
        directory = StudyDirectory(Path(name) / study.name)
        directory.claim(study)
        tracker = Tracker(study, directory.path, default_uri(directory.path))
        tracker.start()
        return _grown(study, directory, tracker, epochs)


def _grown(
    study: StudyConfig, directory: StudyDirectory, tracker: Tracker, epochs: int
) -> dict[str, Any]:
    sizes: list[float] = []
    refresh = partial(_refresh, directory, tracker)
    refresher = Refresher(study, [], refresh, shortest=REFRESH)
    progress = LineProgress(Tally(study, []), _silent())
    watchers = [progress, TrialFiles(directory), refresher, tracker]
    every = max(1, study.trials * epochs // 10)

    def after(reports: int) -> None:
        if reports % every == 0:
            sizes.append(_megabytes())

    arm = LiveArm(study, directory, watchers, slots=SLOTS, after=after)
    refresh(Results(study, []))
    gc.collect()
    before = _megabytes()
    refresher.start()
    seconds = run_live(arm, slots=SLOTS, run=RecordedRuns(epochs))
    refresher.stop()
    refresh(Results(study, arm.ledger.records()))
    tracker.close(status="FINISHED", timeout=600)
    gc.collect()
    return {
        "trials": len(arm.ledger),
        "reports": arm.reports,
        "seconds": round(seconds, 1),
        "before_mb": round(before, 1),
        "after_mb": round(_megabytes(), 1),
        "on_the_way_mb": [round(size, 1) for size in sizes],
    }


def _refresh(directory: StudyDirectory, tracker: Tracker, results: Results) -> None:
    """As a session does while trials run."""
    write_front(results, directory.front, known_importances(results))
    write_as_it_stands(directory, results)
    tracker.publish(Publication(directory.front, results, final=False))


def _silent() -> Any:
    from rich.console import Console

    return Console(file=open(os.devnull, "w"))  # noqa: PTH123  # as long as the process


def _megabytes() -> float:
    return float(psutil.Process().memory_info().rss) / 1e6


def slope(rows: list[dict[str, Any]]) -> float:
    """10^3 bytes per trial between the two largest studies."""
    small, large = sorted(rows, key=lambda row: int(row["trials"]))[-2:]
    grown = (large["after_mb"] - large["before_mb"]) - (small["after_mb"] - small["before_mb"])
    return round(1e3 * grown / (large["trials"] - small["trials"]), 1)


MOST_KILOBYTES = 500.0
"""Per trial of 20 reports; 5,000 trials are then 2.5 GB."""


def misses(row: dict[str, Any]) -> list[str]:
    """Promises that did not hold, in words."""
    grown = row["kilobytes_per_trial"]
    return [f"{grown} kB per trial"] if grown > MOST_KILOBYTES else []


def main() -> None:
    """Measure in this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trials", type=int)
    parser.add_argument("epochs", type=int)
    options = parser.parse_args()
    print(json.dumps(measure_here(options.trials, options.epochs)))


if __name__ == "__main__":
    main()
