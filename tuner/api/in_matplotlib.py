"""A study's pictures as matplotlib figures, made without pyplot: nothing global changes."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tuner.analysis.importance import importances
from tuner.analysis.results import Results
from tuner.api.coordinates import Coordinate, coordinates
from tuner.api.frames import hypervolume_frame
from tuner.pictures.front import FrontPicture, axis_label, in_unit
from tuner.quantities import words
from tuner.records import TrialState

RED, GREY, BLUE, FAINT = "#c8102e", "#a3aab5", "#1f5fa8", "#e6e8ec"
LOOKS: dict[str, dict[str, Any]] = {
    "searched": {"color": GREY, "marker": "o", "s": 25},
    "front": {"color": RED, "marker": "o", "s": 60},
    "baseline": {"facecolor": "none", "edgecolor": BLUE, "marker": "o", "s": 60},
}


class ShownFigure(Figure):
    """A figure that a notebook shows, which it does of others only after importing pyplot."""

    def _repr_png_(self) -> bytes:
        buffer = BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


def front(results: Results) -> Figure:
    """All complete trials by the first two objectives; the numbers of those on the front."""
    picture = FrontPicture(results)
    figure, axes = _figure(results, picture.x.label, picture.y.label)
    if picture.stairs:
        axes.plot(*zip(*picture.stairs, strict=True), color=RED, zorder=2)
    for role, look in LOOKS.items():
        marks = [mark for mark in picture.marks if mark.role == role]
        axes.scatter([m.x for m in marks], [m.y for m in marks], label=role, zorder=3, **look)
    for mark in (mark for mark in picture.inside if mark.on_front):
        place: dict[str, Any] = {"xytext": (6, 6), "textcoords": "offset points"}
        axes.annotate(str(mark.record.number), (mark.x, mark.y), color=RED, **place)
    axes.set(xlim=(picture.x.low, picture.x.high), ylim=(picture.y.low, picture.y.high))
    axes.legend(frameon=False)
    return figure


def curves(results: Results, metric: str) -> Figure:
    """A metric over the epochs: the front in red, stopped trials dashed."""
    figure, axes = _figure(results, "epoch", axis_label(metric))
    best = {record.number for record in results.front}
    for record in sorted(results.records, key=lambda record: record.number in best):
        reports = [report for report in record.reports if metric in report]
        axes.plot(
            [report["epoch"] for report in reports],
            [in_unit(metric, report[metric]) for report in reports],
            color=RED if record.number in best else GREY,
            linestyle="--" if record.state == TrialState.stopped else "-",
            linewidth=1.8 if record.number in best else 0.9,
            marker="." if len(reports) == 1 else "",
        )
    return figure


def parallel_coordinates(results: Results) -> Figure:
    """Weights, pair and objectives of all complete trials, coloured by the last objective."""
    drawn = coordinates(results)
    figure = ShownFigure(figsize=(1.6 * len(drawn), 4.5), layout="constrained")
    axes = figure.add_subplot()
    scaled = np.array([_scaled(axis, axis.values) for axis in drawn])
    colours = colormaps["viridis"](Normalize()(np.array(drawn[-1].values)))
    for line, colour in zip(scaled.T, colours, strict=True):
        axes.plot(range(len(drawn)), line, color=colour, alpha=0.8)
    for place, axis in enumerate(drawn):
        _draw_axis(axes, place, axis)
    axes.set_xticks(range(len(drawn)), [axis.label for axis in drawn])
    axes.set(yticks=[], ylim=(-0.05, 1.05))
    axes.spines[:].set_visible(False)
    return figure


def _scaled(axis: Coordinate, places: tuple[float, ...]) -> list[float]:
    values = (*axis.values, *axis.ticks)
    low, span = min(values), (max(values) - min(values)) or 1.0
    return [(place - low) / span for place in places]


def _draw_axis(axes: Axes, place: int, axis: Coordinate) -> None:
    axes.axvline(place, color="#c3c8d0", linewidth=1, zorder=0)
    ends = tuple(sorted({min(axis.values), max(axis.values)}))
    ticks, texts = axis.ticks or ends, axis.texts or tuple(f"{end:.3g}" for end in ends)
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
    for height, text in zip(_scaled(axis, ticks), texts, strict=True):
        axes.text(place, height, f" {text}", fontsize=8, va="center", bbox=box)


def importance_bars(results: Results) -> Figure:
    """Share of each parameter in the spread of each objective."""
    found = importances(results)
    figure, axes = _figure(results, "share of the spread, %", "")
    names = list(next(iter(found.values())))[::-1]
    height = 0.8 / len(found)
    for position, (metric, shares) in enumerate(found.items()):
        places = np.arange(len(names)) - position * height
        axes.barh(places, [100 * shares[name] for name in names], height, label=words(metric))
    axes.set_yticks(np.arange(len(names)) - height * (len(found) - 1) / 2, names)
    axes.legend(frameon=False)
    return figure


def hypervolume(results: Results) -> Figure:
    """Hypervolume of what is complete, trial by trial."""
    frame = hypervolume_frame(results)
    figure, axes = _figure(results, "complete trials", "hypervolume")
    axes.step(frame.index, frame["hypervolume"], where="post", color=RED)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def _figure(results: Results, x: str, y: str) -> tuple[Figure, Axes]:
    figure = ShownFigure(figsize=(7, 4.6), layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlabel=x, ylabel=y, title=results.study.name)
    axes.grid(color=FAINT)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


FIGURES: dict[str, Callable[[Results], Figure]] = {
    "front": front,
    "parallel_coordinates": parallel_coordinates,
    "importances": importance_bars,
    "hypervolume": hypervolume,
}
