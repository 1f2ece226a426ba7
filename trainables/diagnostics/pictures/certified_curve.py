"""Certified accuracy against radius."""

from collections.abc import Mapping
from statistics import NormalDist
from typing import TYPE_CHECKING

from trainables.diagnostics.pictures.style import COLOURS, heading, new_figure, plain
from trainables.measuring.smoothing import Certificates, SmoothingConfig, lower_bound

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS = 200


def certified_picture(
    certificates: Mapping[str, Certificates], config: SmoothingConfig, note: str = ""
) -> "Figure":
    """Curves of certified accuracy by the network's name, up to the largest radius n allows."""
    figure = new_figure(7, 4.6)
    axes = figure.subplots()
    end = largest_radius(config)
    radii = [end * step / POINTS for step in range(POINTS + 1)]
    for (name, found), colour in zip(certificates.items(), COLOURS, strict=False):
        heights = [100 * found.accuracy(radius) for radius in radii]
        label = f"{name} ({found.abstentions:.0%} abstained)"
        axes.plot(radii, heights, color=colour, linewidth=1.8, label=label)
    plain(axes, x="L2 radius (images in [0, 1])", y="certified accuracy, %")
    axes.set(ylim=(-3, 103), xlim=(0, end * 1.02))
    axes.legend(frameon=False, fontsize=8.5)
    explained = (
        f"Randomised smoothing (Cohen et al., 2019): sigma {config.sigma:g}, "
        f"n0 {config.selection}, n {config.samples}, alpha {config.failure:g}; "
        f"abstentions count as wrong; n allows radii up to {end:.3f}. {note}"
    )
    heading(figure, "Certified accuracy of the smoothed networks", explained)
    return figure


def largest_radius(config: SmoothingConfig) -> float:
    """The L2 radius if all ``samples`` copies agree: no image can be certified further."""
    surest = lower_bound(config.samples, config.samples, config.failure)
    return config.sigma * max(0.0, NormalDist().inv_cdf(surest))
