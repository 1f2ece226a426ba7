"""The pictures of docs/claims.md: one message each, the same colours everywhere."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt

mpl.use("Agg")
COLOURS = ("#1f5a99", "#c8553d", "#3a7d44", "#8a5a9b", "#b8860b", "#5f6b6d", "#2a9d8f")
Series = Mapping[str, Sequence[Sequence[float]]]
"""By label: one sequence over seeds for every point of the x axis."""


def _new(title: str, x: str, y: str) -> tuple[plt.Figure, plt.Axes]:
    figure, axes = plt.subplots(figsize=(7.2, 4.0), layout="constrained")
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _save(figure: plt.Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def lines(
    path: Path,
    title: str,
    axes_names: tuple[str, str],
    x: Sequence[float],
    series: Series,
    *,
    log: bool = False,
) -> None:
    """Means over seeds with one standard deviation as a band, in percent."""
    figure, axes = _new(title, *axes_names)
    for colour, (label, points) in zip(_cycle(len(series)), series.items(), strict=True):
        values = 100 * np.array(points)
        mean, spread = values.mean(axis=1), values.std(axis=1, ddof=1) if values.shape[1] > 1 else 0
        axes.plot(x, mean, marker="o", ms=4, color=colour, label=label)
        axes.fill_between(x, mean - spread, mean + spread, color=colour, alpha=0.15, lw=0)
    if log:
        axes.set_xscale("log")
        axes.set_xticks(x, [f"{value:g}" for value in x])
        axes.minorticks_off()
    axes.legend(frameon=False, fontsize=9)
    _save(figure, path)


def bars(path: Path, title: str, y: str, groups: Sequence[str], series: Series) -> None:
    """Grouped bars: means over seeds with one standard deviation, in percent; dots are seeds."""
    figure, axes = _new(title, "", y)
    width = 0.8 / len(series)
    for place, (colour, (label, points)) in enumerate(
        zip(_cycle(len(series)), series.items(), strict=True)
    ):
        x = np.arange(len(groups)) + (place - (len(series) - 1) / 2) * width
        values = [100 * np.array(point) for point in points]
        axes.bar(x, [v.mean() for v in values], 0.9 * width, color=colour, label=label, alpha=0.75)
        for centre, dots in zip(x, values, strict=True):
            axes.plot(np.full(len(dots), centre), dots, ".", color="0.15", ms=3)
    axes.set_xticks(range(len(groups)), groups, fontsize=8)
    axes.grid(axis="x", visible=False)
    if len(series) > 1:
        figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    _save(figure, path)


def scatter(
    path: Path,
    title: str,
    axes_names: tuple[str, str],
    clouds: Mapping[str, tuple[Sequence[float], Sequence[float]]],
) -> None:
    """One dot per run, one colour per label; y in percent."""
    figure, axes = _new(title, *axes_names)
    for colour, (label, (x, y)) in zip(_cycle(len(clouds)), clouds.items(), strict=True):
        axes.plot(x, 100 * np.array(y), "o", ms=4, color=colour, label=label, alpha=0.8)
    axes.legend(frameon=False, fontsize=8)
    _save(figure, path)


def tracks(
    path: Path,
    title: str,
    axes_names: tuple[str, str],
    points: Mapping[str, tuple[Sequence[float], Sequence[float]]],
) -> None:
    """One line per label through its points, or its name beside a single point; y in percent."""
    figure, axes = _new(title, *axes_names)
    for colour, (label, (x, y)) in zip(_cycle(len(points)), points.items(), strict=True):
        shade = colour if len(x) > 1 else COLOURS[0]
        axes.plot(x, 100 * np.array(y), "o-", ms=4, color=shade, label=label)
        if len(x) == 1:
            place = (x[0], 100 * y[0])
            axes.annotate(label, place, xytext=(5, 3), textcoords="offset points", fontsize=8)
    if any(len(x) > 1 for x, _ in points.values()):
        axes.legend(frameon=False, fontsize=8)
    _save(figure, path)


def _cycle(count: int) -> list[str]:
    return [COLOURS[index % len(COLOURS)] for index in range(count)]
