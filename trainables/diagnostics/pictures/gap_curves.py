"""Robust accuracy and the gaps against epsilon, for one or more networks."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from trainables.diagnostics.pictures.style import COLOURS, SHAPES, heading, new_figure, plain
from trainables.diagnostics.sweep import EpsilonRow
from trainables.threat import ThreatModel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NORMS = {"linf": "Linf", "l2": "L2"}
PANELS: dict[str, Callable[[EpsilonRow], float]] = {
    "robust accuracy, %": lambda row: 100 * row.robust_accuracy,
    "variance gap, relative": lambda row: row.gaps.relative_variance,
    "covariance gap, relative": lambda row: row.gaps.covariance,
    "Gram gap, relative": lambda row: row.gaps.gram,
}


def gap_picture(
    rows: Mapping[str, Sequence[EpsilonRow]], threat: ThreatModel, note: str = ""
) -> "Figure":
    """Four panels over epsilon.

    Args:
        rows: measured radii by the network's name, at most five networks.
        threat: its norm names the axis, its radius is marked.
        note: what was measured, and with what.
    """
    figure = new_figure(9, 6.2)
    for panel, (label, value) in zip(figure.subplots(2, 2).flat, PANELS.items(), strict=True):
        for (name, measured), colour, shape in zip(rows.items(), COLOURS, SHAPES, strict=False):
            epsilons = [row.epsilon for row in measured]
            heights = [value(row) for row in measured]
            panel.plot(epsilons, heights, f"{shape}-", color=colour, markersize=4.5, label=name)
        panel.axvline(threat.epsilon, color="#9aa1ad", linewidth=1, linestyle=":", zorder=1)
        plain(panel, x=f"{NORMS[threat.norm]} epsilon (images in [0, 1])", y=label)
        if label.startswith("robust"):
            panel.set_ylim(-3, 103)
            panel.legend(frameon=False, fontsize=8.5)
    dotted = f"Dotted: the threat model's epsilon, {threat.epsilon:.4g}. {note}"
    heading(figure, "Robust accuracy and feature gaps against epsilon", dotted)
    return figure
