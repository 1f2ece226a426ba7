"""Small pictures: each alignment weight against each objective, and how the hypervolume grew."""

import math
from dataclasses import dataclass
from html import escape

from tuner.analysis.results import Results
from tuner.pictures.front import Axis, Role, axis_around, in_unit
from tuner.quantities import count, words
from tuner.records import SYMBOLS

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 240, 164, 38, 8, 8, 24


@dataclass(frozen=True)
class Panel:
    """The place of one small picture.

    Attributes:
        x: horizontal axis.
        y: vertical axis.
        decades: whether the horizontal axis holds exponents of ten.
        zero: where on it 0 stands, which has no exponent.
    """

    x: Axis
    y: Axis
    decades: bool = False
    zero: float | None = None

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a point lies, in the units of the SVG."""
        across = LEFT + self.x.share(x) * (WIDTH - LEFT - RIGHT)
        return across, HEIGHT - BOTTOM - self.y.share(y) * (HEIGHT - TOP - BOTTOM)

    def figure(self, drawing: str, caption: str) -> str:
        """The picture with its axes and a caption, which is plain text."""
        floor = HEIGHT - BOTTOM
        parts = []
        for tick in self.x.ticks:
            x, _ = self.place(tick, self.y.low)
            name = self._name(tick)
            parts.append(f'<text x="{x:.1f}" y="{floor + 15}" text-anchor="middle">{name}</text>')
        for tick in self.y.ticks:
            _, y = self.place(self.x.low, tick)
            parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
            parts.append(
                f'<text x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{count(tick)}</text>'
            )
        box = f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(caption)}"'
        return (
            f"<figure><svg {box}>{''.join(parts)}{drawing}</svg>"
            f"<figcaption>{escape(caption)}</figcaption></figure>"
        )

    def _name(self, tick: float) -> str:
        if tick == self.zero:
            return "0"
        return f"{10**tick:g}" if self.decades else count(tick)


def weight_pictures(results: Results) -> str:
    """A scatter per weight and objective over the complete trials that are no baseline.

    A weight that never varies is left out. Weights stand on a logarithmic axis; 0 stands half a
    decade left of the smallest.
    """
    varied = [s for s in SYMBOLS if len({record.weights[s] for record in results.searched}) > 1]
    if not varied:
        return '<p class="note">No alignment weight has taken two values yet.</p>'
    rows = ("".join(_scatter(results, s, metric) for s in varied) for metric in results.metrics)
    return "".join(f'<div class="small">{row}</div>' for row in rows)


def _scatter(results: Results, symbol: str, metric: str) -> str:
    weights = [record.weights[symbol] for record in results.searched]
    heights = [in_unit(metric, record.values[metric]) for record in results.searched]
    zero = min(math.log10(weight) for weight in weights if weight > 0) - 0.5
    places = [math.log10(weight) if weight > 0 else zero for weight in weights]
    ranks = [results.ranks[record.number] for record in results.searched]
    roles: list[Role] = ["searched" if rank else "front" for rank in ranks]
    vertical = axis_around(metric, list(zip(heights, roles, strict=True)), ticks=4)
    off = zero if min(weights) == 0 else None
    panel = Panel(_decades(places, off), vertical, decades=True, zero=off)
    points = sorted(zip(roles, places, heights, strict=True), reverse=True)  # the front on top
    inside = [point for point in points if 0 <= vertical.share(point[2]) <= 1]
    dots = (_dot(*panel.place(x, y), role) for role, x, y in inside)
    outside = len(points) - len(inside)
    more = f" ({outside} weak {'trial' if outside == 1 else 'trials'} outside)" if outside else ""
    return panel.figure("".join(dots), f"{words(metric)} against {symbol}{more}")


def _decades(exponents: list[float], zero: float | None) -> Axis:
    """Around the exponents; whole ones are ticks, and so is the place of 0."""
    low, high = min(exponents) - 0.15, max(exponents) + 0.15
    whole = [float(e) for e in range(math.ceil(low), math.floor(high) + 1)]
    apart = low + 0.2 * (high - low)
    ticks = whole if zero is None else [zero, *(e for e in whole if e > apart)]
    return Axis("", low, high, tuple(ticks))


def _dot(x: float, y: float, role: str) -> str:
    return f'<g class="{role}"><path d="M{x + 3:.1f} {y:.1f}a3 3 0 1 1 -6 0a3 3 0 1 1 6 0z"/></g>'


def hypervolume_picture(results: Results) -> str:
    """The hypervolume after each complete trial, as a step line."""
    history = [value for _, value in results.hypervolume_history]
    if len(history) < 2:
        return ""
    across = axis_around("", [(0.0, "front"), (float(len(history)), "front")], ticks=5)
    down = axis_around("", [(value, "front") for value in history], ticks=4)
    panel = Panel(across, down)
    path = "H".join(
        f"{x:.1f}V{y:.1f}" for x, y in (panel.place(i + 1, v) for i, v in enumerate(history))
    )
    x, y = panel.place(1, history[0])
    line = f'<path class="stairs" d="M{x:.1f} {y:.1f}H{path}"/>'
    counted = "configs, each by the mean of its seeds" if results.study.replicates > 1 else "trials"
    return panel.figure(line, f"hypervolume against the number of complete {counted}")
