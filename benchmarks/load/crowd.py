"""Two hundred trials at the same time: reports per second, and how far MLflow falls behind."""

import contextlib
import logging
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.crashes.server import Server
from benchmarks.load.live import LiveArm, Run, Timed, milliseconds, run_live, study_of
from benchmarks.load.points import compare
from tuner.simulation.curves import Curves, shipped_recording
from tuner.storage.directory import StudyDirectory
from tuner.storage.trial_files import TrialFiles
from tuner.tracking.tracker import Tracker

EPOCHS = 15
"""Of the shipped recording."""


def measure(trials: int, slots: int, storage: str | None = None) -> dict[str, Any]:
    """Run the digits study as fast as its driver can, with early stopping.

    Args:
        trials: of the study.
        slots: trials at the same time.
        storage: of the ledger; default: the journal in the study's directory.
    """
    logging.getLogger("tuner").setLevel(logging.ERROR)
    # TPE takes seconds per proposal beside 200 others; benchmarks.search measures it
    study = study_of("crowd", trials, EPOCHS, storage=storage, sampler={"name": "random"})
    with tempfile.TemporaryDirectory() as name, Server(Path(name)) as server:
        directory = StudyDirectory(Path(name) / "runs" / study.name)
        directory.claim(study)
        tracker = Tracker(study, directory.path, server.uri)
        tracker.start()
        updates: list[float] = []
        watchers = [TrialFiles(directory), Timed(tracker, updates)]
        arm = LiveArm(study, directory, watchers, slots=slots)
        with backlog_of(tracker) as backlog:
            seconds = run_live(arm, slots=slots, run=_recorded())
        began = time.monotonic()
        through = tracker.close(status="FINISHED", timeout=3600)
        agreement = compare(arm.ledger.records(), Path(name) / "server.db")
    return {
        "storage": storage.partition(":")[0] if storage else "journal",
        "trials": len(arm.ledger),
        "slots": slots,
        "reports": arm.reports,
        "seconds": round(seconds, 1),
        "reports_per_second": round(arm.reports / seconds, 1),
        "report_ms": milliseconds(arm.times.reports),
        "proposal_ms": milliseconds(arm.times.proposals),
        "update_ms": milliseconds(updates),
        "most_behind": max(backlog),
        "followed_seconds": round(time.monotonic() - began, 1),
        "through": through,
        "agreement": vars(agreement),
        "whole": agreement.whole,
    }


def _recorded() -> Run:
    """Curves of the very configs that are proposed, with what they took as their cost."""
    return Curves(shipped_recording()).run


@contextlib.contextmanager
def backlog_of(tracker: Tracker) -> Iterator[list[int]]:
    """How many changes waited for MLflow, looked at ten times a second."""
    seen, done = [0], threading.Event()

    def look() -> None:
        while not done.wait(0.1):
            seen.append(tracker.behind)

    watcher = threading.Thread(target=look, name="backlog", daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        done.set()
        watcher.join()


def misses(row: dict[str, Any]) -> list[str]:
    """Promises that did not hold, in words."""
    checks = {
        "MLflow and ledger differ": row["whole"],
        "MLflow did not follow": row["through"],
        "a call of the tracker took more than a second": row["update_ms"]["max"] < 1000,
        "more waits for MLflow than two changes per trial": row["most_behind"]
        <= 2 * row["trials"] + 3,
    }
    return [words for words, held in checks.items() if not held]
