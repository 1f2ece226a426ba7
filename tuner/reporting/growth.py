"""How the hypervolume of a study grew: over complete trials, over time, and over what they cost."""

import bisect
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from matplotlib.figure import Figure

from trainables.diagnostics.pictures import as_png
from tuner.analysis.costs import SECONDS
from tuner.analysis.results import Results
from tuner.records import TrialRecord
from tuner.storage.atomic import write_atomically

MOST = 100
"""Moments that are looked at: each one asks for the front of all trials before it."""

RED, INK, FAINT = "#c8102e", "#1d2330", "#e6e8ec"


@dataclass(frozen=True)
class Moment:
    """A study when a trial had just completed.

    Attributes:
        complete: how many trials were complete, replicates counted one by one.
        hypervolume: of the front as it was then, from the reference corner as it was then.
        bests: the best value of each objective on it, as in ``Results.summary``.
        hours: what trials had cost by then, as ``costs.hours``; 0 where that is not known.
        when: when the trial completed.
    """

    complete: int
    hypervolume: float
    bests: Mapping[str, float]
    hours: float
    when: datetime


def growth(results: Results) -> list[Moment]:
    """The study at the end of its complete trials, in order: at most ``MOST``, and the last.

    Each moment depends only on what was known then, so it stays the same as the study goes on.
    """
    ended = sorted(
        (record for record in results.records if record.values and record.ended),
        key=lambda record: (record.ended, record.number),
    )
    stride = -(-len(ended) // MOST)
    counts = [n for n in range(1, len(ended) + 1) if n % stride == 0 or n == len(ended)]
    spent = _Spending(results)
    return [_moment(results, ended[:count], spent) for count in counts]


def _moment(results: Results, ended: Sequence[TrialRecord], spent: "_Spending") -> Moment:
    when = ended[-1].ended
    assert when is not None
    then = Results(results.study, ended)
    bests = {name: value for name, value in then.summary.items() if name.startswith("best/")}
    return Moment(len(ended), then.hypervolume, bests, spent.until(when), when)


class _Spending:
    """What all trials had cost by any time."""

    def __init__(self, results: Results) -> None:
        reports = sorted(
            (report["timestamp"], report.get(SECONDS, 0.0))
            for record in results.records
            for report in record.reports
        )
        self._times = [time for time, _ in reports]
        self._seconds = [0.0, *itertools.accumulate(seconds for _, seconds in reports)]
        self._share = results.study.resources.share

    def until(self, when: datetime) -> float:
        """Hours that reports up to then, the same millisecond included, had cost."""
        reported = bisect.bisect_right(self._times, 1000 * when.timestamp())
        return self._share * self._seconds[reported] / 3600


def cost_name(results: Results) -> str:
    """What the hours of a moment are: of GPUs, or where a study has none, of places for trials."""
    return "GPU-hours" if results.study.resources.gpus else "trial-hours (no GPU)"


def write_growth_png(results: Results, moments: Sequence[Moment], path: Path) -> Path:
    """Draw the hypervolume as steps, one panel per axis that is known; 200 pixels per inch."""
    axes = _axes(results, moments)
    figure = Figure(figsize=(4 * len(axes), 3.4), dpi=200, layout="constrained")
    last = moments[-1]
    title = f"{results.study.name}: hypervolume {last.hypervolume:.4g} after {last.complete} trials"
    if results.study.replicates > 1:
        title += "; it falls where a further seed corrects a first"
    figure.suptitle(title, x=0.01, ha="left", color=INK, fontsize=11)
    volumes = [moment.hypervolume for moment in moments]
    for column, (label, places) in enumerate(axes.items()):
        panel = figure.add_subplot(1, len(axes), column + 1)
        panel.step(places, volumes, where="post", color=RED, linewidth=1.8)
        panel.plot(places[-1], volumes[-1], "o", color=RED, markersize=5)
        panel.set_xlabel(label, color=INK)
        panel.grid(color=FAINT)
        panel.set_axisbelow(True)
        panel.tick_params(length=0, colors=INK, labelsize=9)
        panel.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("hypervolume", color=INK)
    return write_atomically(path, as_png(figure))


def _axes(results: Results, moments: Sequence[Moment]) -> dict[str, list[float]]:
    """Where the moments lie on each axis, by its label."""
    begun = [record.started for record in results.records if record.started]
    start = min([*begun, moments[0].when])
    hours = [(moment.when - start).total_seconds() / 3600 for moment in moments]
    unit, factor = ("hours", 1.0) if hours[-1] >= 2 else ("minutes", 60.0)
    axes = {
        "complete trials": [float(moment.complete) for moment in moments],
        f"{unit} since the first trial began": [factor * hour for hour in hours],
    }
    if moments[-1].hours > 0:
        axes[cost_name(results)] = [moment.hours for moment in moments]
    return axes
