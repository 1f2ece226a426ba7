"""The front as a PNG, for papers and previews."""

import math
import textwrap
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter

from tuner.analysis.results import Results
from tuner.analysis.tables import caption
from tuner.pictures.front import FrontPicture, Mark
from tuner.storage.atomic import write_atomically

SHAPES = ("o", "s", "^", "D", "v", "P")
BASELINE_COLOURS = ("#1f5fa8", "#b36b00", "#0f7b6c", "#7a3fa0")
LEGEND_WIDTH = 100
"""Characters of the legend's size that stand side by side."""

RED, GREY, INK, FAINT = "#c8102e", "#a3aab5", "#1d2330", "#e6e8ec"


def write_front_png(results: Results, path: Path) -> Path:
    """Draw the front and everything around it, 1600 x 1120 pixels; written atomically."""
    picture = FrontPicture(results)
    figure = Figure(figsize=(8, 5.6), dpi=200, layout="constrained")
    axes = figure.add_subplot()
    draw_frame(axes, picture)
    if picture.stairs:
        axes.plot(*zip(*picture.stairs, strict=True), color=RED, linewidth=1.6, zorder=2)
    for mark in picture.inside:
        _draw(axes, picture, mark)
    if picture.marks:
        _label_knee(axes, picture)
        _legend(figure, picture)
    else:
        axes.text(0.5, 0.5, "no complete trial yet", ha="center", transform=axes.transAxes)
    draw_titles(axes, results.study.name, f"{caption(results)} {picture.outside}")
    buffer = BytesIO()
    # no software version inside: the same results give the same bytes
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return write_atomically(path, buffer.getvalue())


def draw_frame(axes: Axes, picture: FrontPicture) -> None:
    """Ends, ticks, names and grid of both axes."""
    axes.set(xlim=(picture.x.low, picture.x.high), ylim=(picture.y.low, picture.y.high))
    axes.set_xlabel(picture.x.label, color=INK)
    axes.set_ylabel(picture.y.label, color=INK)
    axes.set_xticks(picture.x.ticks)
    axes.set_yticks(picture.y.ticks)
    for axis, described in ((axes.xaxis, picture.x), (axes.yaxis, picture.y)):
        if described.high > 1e4:
            axis.set_major_formatter(EngFormatter())
    axes.grid(color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, colors=INK, labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#c3c8d0")


def _draw(axes: Axes, picture: FrontPicture, mark: Mark) -> None:
    shape = _shape(picture, mark.record.student)
    if mark.role == "baseline":
        colour = _colour(picture, mark.record.label)
        line: dict[str, Any] = {
            "markerfacecolor": "white",
            "markeredgecolor": colour,
            "markeredgewidth": 2.0,
        }
        axes.plot(mark.x, mark.y, shape, markersize=9.5, zorder=5, **line)
        return
    colour, size = (RED, 8.5) if mark.role == "front" else (GREY, 5.5)
    edge: dict[str, Any] = {"markeredgecolor": "white", "markeredgewidth": 0.8}
    axes.plot(mark.x, mark.y, shape, markersize=size, color=colour, zorder=4, **edge)
    if mark.is_knee:
        axes.plot(mark.x, mark.y, "o", markersize=17, markeredgecolor=RED, markerfacecolor="none")


def _shape(picture: FrontPicture, student: str) -> str:
    return SHAPES[picture.students.index(student) % len(SHAPES)]


def _colour(picture: FrontPicture, baseline: str) -> str:
    return BASELINE_COLOURS[picture.baselines.index(baseline) % len(BASELINE_COLOURS)]


def _label_knee(axes: Axes, picture: FrontPicture) -> None:
    """The word beside the ring, beyond the front; its values are in the legend."""
    knee = next(mark for mark in picture.marks if mark.is_knee)
    axes.annotate(
        "knee",
        (knee.x, knee.y),
        xytext=(10, 0),
        textcoords="offset points",
        va="center",
        fontsize=9,
        color=RED,
        zorder=6,
    )


def _legend(figure: Figure, picture: FrontPicture) -> None:
    """Under the axes, where it covers nothing."""
    hollow: dict[str, Any] = {"linestyle": "none", "markerfacecolor": "none", "color": RED}
    front = Line2D([], [], color=RED, marker="o", markeredgecolor="white", label="front")
    text = textwrap.fill(picture.knee_text, 36)
    knee = Line2D([], [], marker="o", markersize=10, label=text, **hollow)
    students = [
        Line2D([], [], color=GREY, marker=_shape(picture, name), linestyle="none", label=name)
        for name in picture.students
    ]
    baselines = [_baseline_handle(picture, name) for name in picture.baselines]
    handles = [front, knee, *students, *baselines]
    place: dict[str, Any] = {"loc": "outside lower left", "frameon": False, "fontsize": 9}
    names = [str(handle.get_label()) for handle in handles]
    figure.legend(handles=handles, ncols=legend_columns(names), **place)


def legend_columns(names: Sequence[str]) -> int:
    """Into how many columns, at most three, a legend of these names fits; filled downwards."""
    lengths = [max(map(len, name.splitlines())) for name in names]
    for columns in (3, 2):
        rows = math.ceil(len(names) / columns)
        widest = (max(lengths[i : i + rows]) for i in range(0, len(lengths), rows))
        if sum(widest) <= LEGEND_WIDTH - 6 * columns:
            return columns
    return 1


def _baseline_handle(picture: FrontPicture, name: str) -> Line2D:
    line: dict[str, Any] = {"linestyle": "none", "markerfacecolor": "white", "markeredgewidth": 2.0}
    colour = _colour(picture, name)
    return Line2D([], [], marker="o", markeredgecolor=colour, label=f"baseline: {name}", **line)


def draw_titles(axes: Axes, name: str, text: str) -> None:
    """A heading above the axes, and under it a note in small print, wrapped."""
    note = textwrap.wrap(text, 105)
    axes.set_title("\n".join(note), loc="left", fontsize=8.5, color="#667085", pad=10)
    above: dict[str, Any] = {
        "xycoords": "axes fraction",
        "textcoords": "offset points",
        "va": "bottom",
    }
    offset = (0, 16 + 11 * len(note))
    axes.annotate(name, (0, 1), xytext=offset, fontsize=14, color=INK, **above)
