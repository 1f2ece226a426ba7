"""Validation point to test point, an arrow per member, and the verified front as a line."""

from io import BytesIO
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tuner.quantities import radius
from tuner.verification.measured import CLEAN, Verification, VerifiedMember

RED, BLUE, GREY, INK, FAINT = "#c8102e", "#1f5fa8", "#8b93a1", "#1d2330", "#e6e8ec"
PALE = 0.55
"""Opacity of what validation said."""


def verification_png(found: Verification) -> bytes:
    """1600 x 1120 pixels; clean accuracy across, robust accuracy up, both in percent."""
    figure = Figure(figsize=(8, 5.6), dpi=200, layout="constrained")
    axes = figure.add_subplot()
    for member in found.measured:
        _draw(axes, found, member)
    front = sorted(_test(found, m) for m in found.measured if found.is_on_front(m))
    if len(found.results.metrics) == 2 and front:
        axes.step(*zip(*front, strict=True), color=RED, linewidth=1.4, zorder=2)
    _frame(axes, found)
    _legend(figure)
    buffer = BytesIO()
    # no software version inside: the same results give the same bytes
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _test(found: Verification, member: VerifiedMember) -> tuple[float, float]:
    clean = member.estimate(CLEAN, 0.0).mean
    return 100 * clean, 100 * member.estimate(found.attack, found.threat.epsilon).mean


def _draw(axes: Axes, found: Verification, member: VerifiedMember) -> None:
    colour = RED if found.is_on_front(member) else BLUE if member.is_baseline else GREY
    x, y = _test(found, member)
    across = member.estimate(CLEAN, 0.0).interval
    up = member.estimate(found.attack, found.threat.epsilon).interval
    line: dict[str, Any] = {"color": colour, "linewidth": 0.8, "alpha": PALE, "zorder": 1}
    axes.plot([100 * end for end in across], [y, y], **line)
    axes.plot([x, x], [100 * end for end in up], **line)
    white = "markerfacecolor" if member.is_baseline else "markeredgecolor"
    face: dict[str, Any] = {white: "white"}
    axes.plot(x, y, "o", markersize=8, color=colour, zorder=4, **face)
    axes.annotate(
        found.names.get(member.trial, ""),
        (x, y),
        xytext=(6, 5),
        textcoords="offset points",
        fontsize=8,
        color=colour,
        zorder=5,
    )
    _arrow(axes, member, (x, y), colour)


def _arrow(axes: Axes, member: VerifiedMember, end: tuple[float, float], colour: str) -> None:
    """From where validation put the member; only if it measured both."""
    promised = [member.validation.get(f"val/{name}_accuracy") for name in ("clean", "robust")]
    start = [100 * value for value in promised if value is not None]
    if len(start) < 2:
        return
    axes.plot(*start, ".", color=colour, alpha=PALE, markersize=7, zorder=3)
    arrow = {"arrowstyle": "-|>", "color": colour, "alpha": PALE, "shrinkA": 3, "shrinkB": 5}
    axes.annotate("", end, xytext=(start[0], start[1]), arrowprops=arrow, zorder=3)


def _frame(axes: Axes, found: Verification) -> None:
    norm = {"linf": "Linf", "l2": "L2"}[found.threat.norm]
    axes.set_xlabel("clean accuracy, %", color=INK)
    axes.set_ylabel("robust accuracy, %", color=INK)
    axes.grid(color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, colors=INK, labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#c3c8d0")
    axes.margins(0.08)
    axes.set_title(
        f"{found.study.name}: what validation promised, what {found.images:,} test images keep\n"
        f"{found.attack_name}, {norm} epsilon {radius(found.threat.epsilon)}; {found.seeds} "
        f"{'seed' if found.seeds == 1 else 'seeds'} per config; lines: 95 % intervals",
        loc="left",
        fontsize=9,
        color="#667085",
        pad=10,
    )


def _legend(figure: Figure) -> None:
    """Under the axes, where it covers nothing."""
    none: dict[str, Any] = {"linestyle": "none"}
    handles = [
        Line2D([], [], color=RED, marker="o", markeredgecolor="white", label="verified front"),
        Line2D([], [], color=GREY, marker="o", markeredgecolor="white", label="beaten", **none),
        Line2D([], [], color=BLUE, marker="o", markerfacecolor="white", label="baseline", **none),
        Line2D([], [], color=GREY, marker=".", alpha=PALE, label="by validation", **none),
    ]
    place: dict[str, Any] = {"loc": "outside lower left", "frameon": False, "fontsize": 9}
    figure.legend(handles=handles, ncols=4, **place)
