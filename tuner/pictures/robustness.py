"""Accuracy against epsilon as a picture: a line per attack, its interval as a band."""

from io import BytesIO
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from tuner.evaluation.measuring import WORST, Evaluation, Row
from tuner.quantities import radius
from tuner.storage.atomic import write_atomically

COLOURS = ("#1f5fa8", "#b36b00", "#0f7b6c", "#7a3fa0", "#5b6472", "#8a1c4a", "#3b7d1e")
SHAPES = ("o", "s", "D", "v", "P", "X", "p")
INK, GREY, FAINT = "#1d2330", "#667085", "#e6e8ec"
WORST_LINE: dict[str, Any] = {"color": "#c8102e", "linewidth": 2.2, "linestyle": (0, (4, 2))}

LONG_NAME = 56
"""Letters of an attack's name beyond which the legend has one column."""


def write_picture(evaluation: Evaluation, path: Path) -> Path:
    """Draw every attack from epsilon 0, 1600 x 1120 pixels; written atomically."""
    figure = Figure(figsize=(8, 5.6), dpi=200, layout="constrained")
    axes = figure.add_subplot()
    clean, curves = evaluation.rows[0], _curves(evaluation)
    for number, (name, rows) in enumerate(curves.items()):
        line = _line(COLOURS[number % len(COLOURS)], SHAPES[number % len(SHAPES)])
        _draw(axes, [clean, *rows], label=name, opacity=0.3 / (len(curves) + 1), **line)
    _draw(axes, [clean, *evaluation.worst], label=WORST, opacity=0.13, **WORST_LINE)
    _frame(axes, evaluation)
    _legend(figure, axes)
    buffer = BytesIO()
    # no software version inside: the same results give the same bytes
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return write_atomically(path, buffer.getvalue())


def _curves(evaluation: Evaluation) -> dict[str, list[Row]]:
    curves: dict[str, list[Row]] = {}
    for row in evaluation.rows[1:]:
        if row.name != WORST and not row.inner:
            curves.setdefault(row.name, []).append(row)
    return curves


def _line(colour: str, shape: str) -> dict[str, Any]:
    edge = {"markeredgecolor": "white", "markeredgewidth": 0.8}
    return {"color": colour, "marker": shape, "markersize": 6, "linewidth": 1.5, **edge}


def _draw(axes: Axes, rows: list[Row], *, label: str, opacity: float, **line: Any) -> None:
    epsilons = [row.epsilon for row in rows]
    ends = [[100 * end for end in row.accuracy.interval] for row in rows]
    low, high = zip(*ends, strict=True)
    axes.fill_between(epsilons, low, high, color=line["color"], alpha=opacity, linewidth=0)
    axes.plot(epsilons, [100 * row.accuracy.share for row in rows], label=label, zorder=3, **line)


def _legend(figure: Figure, axes: Axes) -> None:
    """Under the axes, where it covers nothing."""
    handles, labels = axes.get_legend_handles_labels()
    columns = 1 if max(map(len, labels)) > LONG_NAME else 2
    place: dict[str, Any] = {"loc": "outside lower left", "frameon": False, "fontsize": 9}
    figure.legend(handles, labels, ncols=columns, **place)


def _frame(axes: Axes, evaluation: Evaluation) -> None:
    request, target = evaluation.request, evaluation.target
    epsilons = [0.0, *(threat.epsilon for threat in request.threats)]
    axes.set(ylim=(0, 101), xlim=(0, 1.03 * max(epsilons)))
    norm = {"linf": "Linf", "l2": "L2"}[request.threats[0].norm]
    axes.set_xlabel(f"epsilon, {norm} radius in units of images in [0, 1]", color=INK)
    axes.set_ylabel("images still right, %", color=INK)
    axes.set_xticks(epsilons, [radius(e) if e else "0\nclean" for e in epsilons])
    axes.yaxis.set_major_locator(MultipleLocator(20))
    axes.grid(color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, colors=INK, labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#c3c8d0")
    axes.set_title(
        f"{target.architecture} on {evaluation.num_images} {request.split} images of "
        f"{target.config.data.name}; bands: Wilson 95 % intervals",
        loc="left",
        fontsize=10,
        color=GREY,
        pad=10,
    )
