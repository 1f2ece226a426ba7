"""A study whose driver is real and whose trials are recorded curves.

Searcher, scheduler, search, ledger and recorder are those of a real run, and so is whoever watches;
only the processes that would train are simulated.
"""

import json
import math
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ray.tune.schedulers import TrialScheduler

from tuner.records import Metrics, TrialRecord
from tuner.running.recorder import Recorder, Watcher
from tuner.search.scheduler import LedgerScheduler
from tuner.search.search import Search
from tuner.search.searcher import LedgerSearcher
from tuner.simulation.curves import SECONDS, shipped_recording
from tuner.simulation.engine import Cluster, SimulatedTrial, Simulation
from tuner.storage.directory import StudyDirectory
from tuner.storage.ledger import Ledger
from tuner.study import StudyConfig
from tuner.study_file import find_study, load_study

Run = Callable[[Mapping[str, Any], int], list[Metrics]]


def study_of(name: str, trials: int, epochs: int, **changes: Any) -> StudyConfig:
    """The shipped digits study with so many trials of so many epochs.

    Args:
        name: of the study.
        trials: how many, baselines included.
        epochs: of every trial.
        changes: other fields.
    """
    digits = load_study(find_study("digits")).model_dump(mode="json")
    digits["base"]["epochs"] = epochs
    settings = {"name": name, "trials": trials, "replicates": 1, **changes}
    return StudyConfig.model_validate({**digits, **settings})


class RecordedRuns:
    """Curves of the shipped recording, drawn by seed and stretched to any number of epochs."""

    def __init__(self, epochs: int) -> None:
        recording = shipped_recording()
        self._metrics = recording.metrics
        self._curves = [_stretched(curve, epochs) for runs in recording.curves for curve in runs]

    def __call__(self, config: Mapping[str, Any], seed: int) -> list[Metrics]:
        """Reports of a run; which, a checksum of config and seed decides."""
        drawn = zlib.crc32(f"{seed} {json.dumps(config, sort_keys=True)}".encode())
        curve = self._curves[drawn % len(self._curves)]
        rows = [dict(zip(self._metrics, map(float, row), strict=True)) for row in curve]
        return [
            {"epoch": epoch, **row, SECONDS: max(1e-3, row[SECONDS])}
            for epoch, row in enumerate(rows, start=1)
        ]


def _stretched(curve: NDArray[np.float64], epochs: int) -> NDArray[np.float64]:
    """``(recorded epochs, metrics)`` as ``(epochs, metrics)``."""
    places = np.linspace(0, len(curve) - 1, epochs)
    known = np.arange(len(curve))
    return np.stack([np.interp(places, known, column) for column in curve.T], axis=1)


@dataclass
class Times:
    """Wall times in the driver's loop in seconds, one per call.

    Attributes:
        proposals: to draw, store and hand out a trial.
        reports: to store and judge a report, and to tell everybody.
    """

    proposals: list[float] = field(default_factory=list)
    reports: list[float] = field(default_factory=list)


class Timed:
    """A watcher, and how long each of its updates kept the driver's thread."""

    def __init__(self, watcher: Watcher, times: list[float]) -> None:
        self._watcher, self._times = watcher, times

    def update(self, record: TrialRecord) -> None:
        began = time.perf_counter()
        self._watcher.update(record)
        self._times.append(time.perf_counter() - began)


class LiveArm:
    """A study's driver, as ``run_trials`` puts it together, for a simulation.

    Args:
        study: what is asked for.
        directory: its own; the ledger lies there.
        watchers: told of every change, as in a study.
        slots: trials at the same time.
        after: called after every report with how many there were.
    """

    def __init__(
        self,
        study: StudyConfig,
        directory: StudyDirectory,
        watchers: Sequence[Watcher],
        *,
        slots: int,
        after: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.times, self.reports, self._after = Times(), 0, after
        self.ledger = Ledger(study, directory.path)
        self.search = Search(study, self.ledger, patience=math.inf)
        self.searcher = self
        self.scheduler = self
        self._searcher = LedgerSearcher(self.search, directory, at_once=slots)
        self._scheduler = LedgerScheduler(self.search)
        self._recorder = Recorder(self.search, watchers)

    def suggest(self, trial_id: str) -> Any:
        """The searcher's part, timed."""
        began = time.perf_counter()
        suggested = self._searcher.suggest(trial_id)
        if isinstance(suggested, dict):
            self.times.proposals.append(time.perf_counter() - began)
        return suggested

    def config(self, suggested: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a trial would be given."""
        config: Mapping[str, Any] = suggested["trial"]
        return config

    def result(self, report: Metrics, *, done: bool) -> dict[str, Any]:
        """As ``DistillationTrainable`` reports."""
        own = {name: value for name, value in report.items() if name != SECONDS}
        return {"report": {**own, "cost/seconds": report[SECONDS]}, "failure": "", "done": done}

    def on_trial_add(self, _: Any, trial: Any) -> None:
        """The recorder's part when a trial begins."""
        self._recorder.on_trial_start(0, [], trial)

    def on_trial_result(self, _: Any, trial: Any, result: dict[str, Any]) -> str:
        """The scheduler's part, then the recorder's, as in Ray's loop."""
        began = time.perf_counter()
        report = {f"report/{name}": value for name, value in result["report"].items()}
        decision = self._scheduler.on_trial_result(None, trial, {**result, **report})
        self._tell(trial, {**result, "done": decision == TrialScheduler.STOP}, began)
        return decision

    def ended(self, trial: SimulatedTrial, result: dict[str, Any], *, stopped: bool) -> None:
        """What Ray's loop does at the end of a trial."""
        if not stopped:
            self._tell(trial, result, time.perf_counter())
        self._searcher.on_trial_complete(trial.trial_id, result)

    def _tell(self, trial: Any, result: dict[str, Any], began: float) -> None:
        self._recorder.on_trial_result(0, [], trial, result)
        self.times.reports.append(time.perf_counter() - began)
        self.reports += 1
        self._after(self.reports)


def run_live(arm: LiveArm, *, slots: int, run: Run) -> float:
    """Run the study to its end; seconds of wall time."""
    began = time.monotonic()
    Simulation(arm, Cluster(slots), run).until()
    return time.monotonic() - began


def milliseconds(times: Sequence[float]) -> dict[str, float]:
    """Median, 99th percentile and most."""
    ranked = sorted(1e3 * value for value in times)
    at = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {key: round(ranked[int(share * (len(ranked) - 1))], 3) for key, share in at.items()}
