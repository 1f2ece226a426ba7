"""One quantity against another, with the least-squares line and r."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trainables.diagnostics.correlation import Correlation, correlation
from trainables.diagnostics.pictures.style import COLOURS, SHAPES, heading, new_figure, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Series:
    """Points of one colour: ``x`` and ``y`` in the units of the axes, and words beside points."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    labels: Sequence[str] = field(default=())


def correlation_picture(
    panels: Sequence[tuple[str, Sequence[Series]]],
    *,
    title: str,
    y_label: str,
    note: str = "",
) -> "Figure":
    """A scatter per horizontal quantity, side by side.

    Args:
        panels: label of the horizontal axis with its unit, and the series drawn over it; each
            series has its own line.
        title: of the whole.
        y_label: with its unit.
        note: what was measured, and with what.
    """
    figure = new_figure(max(6.0, 4.6 * len(panels)), 4.8)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (label, series) in zip(axes, panels, strict=True):
        for points, colour, shape in zip(series, COLOURS, SHAPES, strict=False):
            _draw(axis, points, colour, shape)
        _frame_points(axis, [y for points in series for y in points.y])
        plain(axis, x=label, y=y_label)
        above: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1.0)}
        axis.legend(frameon=False, fontsize=8, borderaxespad=0.2, handlelength=1.4, **above)
    heading(figure, title, note)
    return figure


def _frame_points(axes: "Axes", heights: Sequence[float]) -> None:
    """End the axis around the points: a line may go on to accuracies that cannot be."""
    low, high = min(heights), max(heights)
    margin = 0.06 * (high - low) or 1.0
    axes.set_ylim(low - margin, high + margin)


def _draw(axes: "Axes", points: Series, colour: str, shape: str) -> None:
    found = _correlation(points)
    name = f"{points.name}: {found}" if found else f"{points.name}: fewer than 3 points"
    look: dict[str, Any] = {"color": colour, "markersize": 6, "markeredgecolor": "white"}
    axes.plot(points.x, points.y, shape, label=name, zorder=3, **look)
    for x, y, text in zip(points.x, points.y, points.labels, strict=False):
        place: dict[str, Any] = {"xytext": (5, 3), "textcoords": "offset points"}
        axes.annotate(text, (x, y), fontsize=7, color=colour, **place)
    if found and math.isfinite(found.slope):
        ends = [min(points.x), max(points.x)]
        heights = [found.slope * x + found.offset for x in ends]
        axes.plot(ends, heights, color=colour, linewidth=1.2, alpha=0.7)


def _correlation(points: Series) -> Correlation | None:
    try:
        return correlation(points.x, points.y)
    except ValueError:
        return None
