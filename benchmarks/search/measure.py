"""Hypervolume against budget, and how sure a difference is."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.search.arms import CLEAN, ROBUST, MakeArm
from tuner.search.front_geometry import hypervolume_2d
from tuner.simulation.curves import Curves, Recording
from tuner.simulation.engine import Cluster, SimulatedTrial, Simulation
from tuner.study import StudyConfig

Array = NDArray[np.float64]
RESAMPLES = 2000


def reference(recording: Recording) -> Array:
    """The median of the recorded configs in each objective, as losses: fixed before any search."""
    places = [recording.metrics.index(name) for name in (CLEAN, ROBUST)]
    last = np.stack([curves.mean(axis=0)[-1, places] for curves in recording.curves])
    return -np.median(last, axis=0)


def history(
    make: MakeArm, study: StudyConfig, curves: Curves, cluster: Cluster, *, seed: int, budget: float
) -> tuple[list[SimulatedTrial], Array]:
    """One search: its trials, and time and true losses ``(complete trials, 3)`` by time.

    True losses are those of the mean curve: what luck in validation adds does not count.
    """
    arm = make(study, cluster.slots, seed)
    simulation = Simulation(arm, cluster, curves.run, seed=1000 * seed)
    trials = simulation.until(budget)
    if hasattr(arm, "close"):
        arm.close()
    rows = []
    for trial in trials:
        if trial.complete:
            last = curves.mean(arm.config(trial.config))[-1]
            rows.append([trial.ended, -last[CLEAN], -last[ROBUST]])
    return trials, np.array(sorted(rows)).reshape(-1, 3)


def volume_at(rows: Array, moments: Sequence[float], corner: Array) -> Array:
    """Hypervolume of what was complete at each moment."""
    values = []
    for moment in moments:
        done = rows[rows[:, 0] <= moment, 1:]
        values.append(hypervolume_2d(np.minimum(done, corner), corner) if len(done) else 0.0)
    return np.array(values)


def time_to(rows: Array, volume: float, corner: Array) -> float:
    """When the hypervolume was first at least that; infinite if never."""
    for position, moment in enumerate(rows[:, 0], start=1):
        done = np.minimum(rows[:position, 1:], corner)
        if hypervolume_2d(done, corner) >= volume:
            return float(moment)
    return float("inf")


def interval(values: Array, *, statistic: str = "mean") -> tuple[float, float, float]:
    """A statistic over seeds and its 95 % bootstrap interval (percentiles)."""
    function = {"mean": np.mean, "median": np.median}[statistic]
    generator = np.random.default_rng(0)
    picks = generator.integers(len(values), size=(RESAMPLES, len(values)))
    low, high = np.percentile(function(values[picks], axis=1), [2.5, 97.5])
    return float(function(values)), float(low), float(high)


def paired_ratio(ours: Array, theirs: Array) -> tuple[float, float, float]:
    """Ratio of the means over the same seeds, and its 95 % bootstrap interval."""
    generator = np.random.default_rng(0)
    picks = generator.integers(len(ours), size=(RESAMPLES, len(ours)))
    ratios = ours[picks].mean(axis=1) / theirs[picks].mean(axis=1)
    low, high = np.percentile(ratios, [2.5, 97.5])
    return float(ours.mean() / theirs.mean()), float(low), float(high)
