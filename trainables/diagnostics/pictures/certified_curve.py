"""Certified accuracy against radius."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from trainables.diagnostics.pictures.style import COLOURS, heading, new_figure, plain
from trainables.smoothing import Certificates, SmoothingConfig

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS = 200


def certified_picture(
    certificates: Mapping[str, Certificates], config: SmoothingConfig, note: str = ""
) -> "Figure":
    """Curves of certified accuracy by the network's name, up to the largest radius n allows."""
    figure = new_figure(7, 4.6)
    axes = figure.subplots()
    end = config.largest_radius
    radii = [end * step / POINTS for step in range(POINTS + 1)]
    for (name, found), colour in zip(certificates.items(), COLOURS, strict=False):
        heights = [100 * accuracy for _, accuracy in found.curve(radii)]
        label = f"{name} (mean radius {found.mean_radius:.3f}, {found.abstained:.0%} abstained)"
        axes.plot(radii, heights, color=colour, linewidth=1.8, label=label)
    plain(axes, x="L2 radius (images in [0, 1])", y="certified accuracy, %")
    axes.set(ylim=(-3, 103), xlim=(0, end * 1.02))
    axes.legend(frameon=False, fontsize=8.5)
    explained = (
        f"Randomised smoothing (Cohen et al., 2019): sigma {config.sigma:g}, n0 {config.n0}, "
        f"n {config.n}, alpha {config.alpha:g}; abstentions count as wrong; n allows radii up to "
        f"{end:.3f}. {note}"
    )
    heading(figure, "Certified accuracy of the smoothed networks", explained)
    return figure
