"""Many short trials through one MLflow server that is killed and started again."""

import logging
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.crashes.server import Server
from benchmarks.load.live import LiveArm, RecordedRuns, Timed, milliseconds, run_live, study_of
from benchmarks.load.points import compare
from tuner.storage.directory import StudyDirectory
from tuner.study import StudyConfig
from tuner.tracking.tracker import Tracker, sync

SLOTS = 32
DEATHS = (0.25, 0.5, 0.75)
"""When the server is killed, in shares of the reports."""

AWAY = 5.0
"""Seconds between the death of a server and its next start, which takes some more."""


class Outages:
    """Kills the server when so many reports have come, and starts it again, in a thread."""

    def __init__(self, server: Server, reports: int) -> None:
        self._server = server
        self._moments = [int(share * reports) for share in DEATHS]
        self._threads: list[threading.Thread] = []

    def look(self, reports: int) -> None:
        """After each report: is it time?"""
        if self._moments and reports >= self._moments[0]:
            self._moments.pop(0)
            self.join()
            self._server.kill()
            again = threading.Thread(target=self._start_again, name="server")
            again.start()
            self._threads.append(again)

    def _start_again(self) -> None:
        time.sleep(AWAY)
        self._server.start()

    def join(self) -> None:
        """Wait until the server is back."""
        for thread in self._threads:
            thread.join()


@dataclass
class Scene:
    """A study, its server, and the place of both."""

    folder: Path
    server: Server
    study: StudyConfig
    epochs: int
    updates: list[float] = field(default_factory=list)

    @property
    def directory(self) -> StudyDirectory:
        return StudyDirectory(self.folder / "runs" / self.study.name)

    def tracker(self) -> Tracker:
        """Open in MLflow, which must be there."""
        tracker = Tracker(self.study, self.directory.path, self.server.uri)
        tracker.start()
        return tracker

    def agreement(self, arm: LiveArm, when: str) -> dict[str, Any]:
        """What of the ledger is in the server's database, and whether that is all, once."""
        found = compare(arm.ledger.records(), self.folder / "server.db")
        return {when: vars(found), f"whole_{when}": found.whole}


def measure(trials: int, epochs: int) -> dict[str, Any]:
    """Three deaths of the server while trials run, then one that outlasts the driver.

    Args:
        trials: of one study, baselines included.
        epochs: reports of each.
    """
    logging.getLogger("tuner").setLevel(logging.ERROR)  # of the dead server it warns
    settings = {"scheduler": {"name": "fifo"}, "sampler": {"name": "random"}}
    study = study_of("outage", trials, epochs, **settings)
    with tempfile.TemporaryDirectory() as name, Server(Path(name)) as server:
        scene = Scene(Path(name), server, study, epochs)
        scene.directory.claim(study)
        row = _through_deaths(scene)
        scene.study = study.model_copy(update={"trials": trials + max(4, trials // 20)})
        return {**row, **_left_behind(scene), "update_ms": milliseconds(scene.updates)}


def _through_deaths(scene: Scene) -> dict[str, Any]:
    """Run the study while its server is killed three times; then let MLflow follow."""
    tracker = scene.tracker()
    outages = Outages(scene.server, scene.study.trials * scene.epochs)
    watcher = Timed(tracker, scene.updates)
    arm = LiveArm(scene.study, scene.directory, [watcher], slots=SLOTS, after=outages.look)
    seconds = run_live(arm, slots=SLOTS, run=RecordedRuns(scene.epochs))
    behind, began = tracker.behind, time.monotonic()
    outages.join()
    through = tracker.close(status="FINISHED", timeout=3600)
    return {
        "trials": len(arm.ledger),
        "reports": arm.reports,
        "deaths": len(DEATHS) + 1,
        "seconds": round(seconds, 1),
        "report_ms": milliseconds(arm.times.reports),
        "behind_at_end": behind,
        "followed_seconds": round(time.monotonic() - began, 1),
        "through": through,
        **scene.agreement(arm, "after_deaths"),
    }


def _left_behind(scene: Scene) -> dict[str, Any]:
    """More trials, with the server dead to the end of the driver; then ``tuner sync``."""
    tracker = scene.tracker()
    scene.server.kill()
    watcher = Timed(tracker, scene.updates)
    arm = LiveArm(scene.study, scene.directory, [watcher], slots=SLOTS)
    run_live(arm, slots=SLOTS, run=RecordedRuns(scene.epochs))
    through = tracker.close(status="FINISHED", timeout=2)
    before = compare(arm.ledger.records(), scene.folder / "server.db")
    scene.server.start()
    began = time.monotonic()
    held = sync(scene.study, scene.directory.path, scene.server.uri, arm.ledger.records())
    return {
        "closed_through": through,
        "lost_before_sync": before.lost,
        "sync_holds": held,
        "sync_seconds": round(time.monotonic() - began, 1),
        **scene.agreement(arm, "after_sync"),
    }


def misses(row: dict[str, Any]) -> list[str]:
    """Promises that did not hold, in words."""
    checks = {
        "MLflow and ledger differ after three deaths": row["whole_after_deaths"],
        "MLflow did not follow": row["through"],
        "the driver believed that a dead server took everything": not row["closed_through"],
        "sync had nothing to repair": row["lost_before_sync"] > 0,
        "MLflow and ledger differ after tuner sync": row["whole_after_sync"],
        "a call of the tracker took more than a second": row["update_ms"]["max"] < 1000,
    }
    return [words for words, held in checks.items() if not held]
