"""Where features lie before and after an attack, and how their variance is spread."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from trainables.data import Split
from trainables.diagnostics.moments import StreamedMoments
from trainables.diagnostics.pictures.style import INK, heading, new_figure, plain
from trainables.models import Network, module_mode

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_CLASSES = 10  # more colours cannot be told apart
CLEAN, ATTACKED = "#1f5fa8", "#c8102e"


def feature_picture(
    networks: Mapping[str, Network],
    split: Split,
    attacked: Mapping[str, Tensor],
    *,
    note: str = "",
    layer: int = -1,
) -> "Figure":
    """Per network: clean and attacked features in the plane of the clean ones, and their spectra.

    Args:
        networks: by name, one row each.
        split: clean images and labels.
        attacked: by the same names, the images after an attack on that network.
        note: what the attack was.
        layer: feature map, counted from the end; pooled over positions.
    """
    figure = new_figure(11, 3.6 * len(networks) + 0.7)
    grid = figure.subplots(len(networks), 3, squeeze=False)
    for row, (name, network) in zip(grid, networks.items(), strict=True):
        clean, moved = (pooled(network, x, layer) for x in (split.images, attacked[name]))
        plane, share = principal_plane(clean)
        shown = {f"{name}, clean": clean, f"{name}, attacked": moved}
        places = {key: (values - clean.mean(dim=0)) @ plane for key, values in shown.items()}
        _scatters(list(row[:2]), places, split.labels, share)
        _spectra(row[2], name, clean, moved)
    explained = (
        "Left, middle: pooled features, colour = class (of many classes the first ten), in the "
        "plane of the two strongest principal components of the network's CLEAN features. Right: "
        f"eigenvalues of the covariance. {note}"
    )
    heading(figure, "Features of clean and attacked images", explained)
    return figure


@torch.no_grad()
def pooled(network: Network, images: Tensor, layer: int = -1) -> Tensor:
    """Features averaged over positions, ``(count, channels)``, float64 on the CPU."""
    with module_mode(network, training=False):
        parts = [
            network.outputs(part, (layer,)).features[layer].mean(dim=1).double().cpu()
            for part in torch.split(images, 512)
        ]
    return torch.cat(parts)


def principal_plane(features: Tensor) -> tuple[Tensor, list[float]]:
    """Two strongest directions ``(channels, 2)`` of features, and their shares of the variance.

    A single channel has no second direction: zeros.
    """
    padded = F.pad(covariance(features), [0, 1, 0, 1])
    values, vectors = torch.linalg.eigh(padded)
    total = values.sum().clamp_min(torch.finfo(values.dtype).tiny)
    plane = vectors[:-1, -2:].flip(1)
    return plane, (values[-2:].flip(0) / total).tolist()


def covariance(features: Tensor) -> Tensor:
    """Of samples ``(count, channels)``."""
    moments = StreamedMoments()
    moments.add(features)
    return moments.covariance


def spectrum(features: Tensor) -> Tensor:
    """Eigenvalues of the covariance, largest first, in squared feature units."""
    values: Tensor = torch.linalg.eigvalsh(covariance(features))
    return values.flip(0).clamp_min(0)


def _scatters(
    row: list["Axes"], places: Mapping[str, Tensor], labels: Tensor, share: list[float]
) -> None:
    both = torch.cat(list(places.values()))
    low, high = both.amin(dim=0), both.amax(dim=0)
    margin = 0.05 * (high - low).clamp_min(1e-9)
    kept = (labels < MOST_CLASSES).cpu()
    for axes, (title, points) in zip(row, places.items(), strict=True):
        x, y = points[kept].T
        axes.scatter(x, y, c=labels.cpu()[kept], cmap="tab10", vmin=0, vmax=9, s=10, alpha=0.75)
        names = [f"component {i + 1} ({part:.0%} of variance)" for i, part in enumerate(share)]
        plain(axes, title=title, x=names[0], y=names[1])
        ends = torch.stack([low - margin, high + margin], dim=1).tolist()
        axes.set(xlim=ends[0], ylim=ends[1])


def _spectra(axes: "Axes", name: str, clean: Tensor, moved: Tensor) -> None:
    from matplotlib.ticker import MaxNLocator

    for label, features, colour in (("clean", clean, CLEAN), ("attacked", moved, ATTACKED)):
        values = spectrum(features)
        values = values[values > 1e-6 * values.max()]  # a logarithm shows rounding as structure
        axes.plot(range(1, len(values) + 1), values, color=colour, label=label, linewidth=1.6)
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    plain(axes, title=f"{name}, spectrum", x="principal component", y="variance, feature units²")
    axes.legend(frameon=False, fontsize=8.5, labelcolor=INK)
