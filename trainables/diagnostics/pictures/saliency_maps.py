"""Where the networks look: input gradients of teacher and student beside the images."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from trainables.data import Split
from trainables.diagnostics.gradients import input_gradients
from trainables.diagnostics.pictures.style import INK, NOTE, heading, new_figure
from trainables.diagnostics.saliency import saliency
from trainables.models import Network, module_mode

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Column = tuple[str, Tensor, list[str]]
"""Heading, pictures ``(rows, height, width[, channels])`` in [0, 1], and a word below each."""


def saliency_picture(
    networks: Mapping[str, Network],
    split: Split,
    attacked: Tensor,
    *,
    epsilon: str,
    note: str = "",
) -> "Figure":
    """A row per image: clean, then each network's gradient; attacked, then the gradients there.

    Args:
        networks: by name, in the order of the columns.
        split: the few images that are shown, with labels.
        attacked: the same images under attack.
        epsilon: norm and radius of the attack, in words.
        note: whose attack it is.
    """
    columns: list[Column] = []
    versions = {"clean": split.images, "attacked": attacked}
    for version, images in versions.items():
        shown = Split(images, split.labels)
        columns.append((version, _as_pictures(images), [f"label {y}" for y in split.labels]))
        columns += [(name, *_map(network, shown)) for name, network in networks.items()]
    rows, half = len(split), len(columns) // 2
    figure = new_figure(1.35 * len(columns) + 0.4, 1.5 * rows + 1.3)
    grid = figure.subplots(rows, len(columns), squeeze=False)
    for number, column in enumerate(columns):
        for row, axes in enumerate(grid[:, number]):
            _show(axes, column, row, is_map=number % half != 0)
    explained = (
        f"Gradient of the cross-entropy of the label by the pixels, absolute, strongest channel; "
        f"dark is strong, each map scaled to its own strongest pixel. Below each map: what the "
        f"network says of the image. Attack: {epsilon}. {note}"
    )
    heading(figure, "Input gradients on clean and attacked images", explained)
    return figure


def _map(network: Network, shown: Split) -> tuple[Tensor, list[str]]:
    maps = saliency(input_gradients(network, shown.images, shown.labels)).cpu()
    with torch.no_grad(), module_mode(network, training=False):
        classes = network(shown.images).argmax(dim=1)
    pairs = zip(classes.tolist(), shown.labels.tolist(), strict=True)
    return maps, [f"says {said}" + ("" if said == true else " (wrong)") for said, true in pairs]


def _as_pictures(images: Tensor) -> Tensor:
    shown = images.detach().cpu().permute(0, 2, 3, 1)
    return shown if shown.shape[3] == 3 else shown.mean(dim=3)


def _show(axes: "Axes", column: Column, row: int, *, is_map: bool) -> None:
    name, pictures, words = column
    look: dict[str, Any] = {"cmap": "magma_r" if is_map else "gray", "vmin": 0, "vmax": 1}
    axes.imshow(pictures[row].numpy(), interpolation="nearest", **look)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_color("#c3c8d0")
    wrong = words[row].endswith("(wrong)")
    axes.set_xlabel(words[row], fontsize=7.5, labelpad=2, color="#c8102e" if wrong else NOTE)
    if row == 0:
        axes.set_title(name, fontsize=8.5, color=INK)
