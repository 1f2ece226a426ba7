"""Fitting timm's architectures, made for images of about 224 pixels, to small images.

**The rule.** From :data:`LARGE` pixels on, timm's network is used as it is. For smaller images,

1. a transformer whose patches can be chosen gets 8x8 patches, or as many more as it takes until its
   last feature map has a side of at least an eighth of the image's, and 2;
2. any other network is built as for images ``f`` times as large, and its first strides are divided
   by ``f`` in all (a pooling layer without stride is left out), so that behind them every map has
   the size that it has in an image ``f`` times as large. ``f`` is the smallest power of two that
   leaves a last feature map with a side of at least an eighth of the image's, and 2. At 32 pixels,
   ResNet-18 so becomes the usual CIFAR ResNet-18 but for its 7x7 stem.

No weight changes its shape under 2, so pretrained weights fit. What leaves no 2x2 map is refused.
Everything is tried on PyTorch's meta device: no numbers, no memory, no random draw.
"""

import copy
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import timm
import torch
from torch import Tensor, nn

from trainables.models.final_map import final_side
from trainables.models.strides import Relaxation, halved, relax, strided_layers

LARGE = 160
"""Pixels from which on timm's networks are left as they are."""

SMALLEST_MAP = 2
"""Side of the smallest last feature map that is accepted."""

SIDES = (8, 16, 32, 64, 128, 224, 256, 384)
"""Sizes of images among which the smallest one that works is looked for."""

RIGID = "its strides cannot be made smaller"

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Fit:
    """How a network is built for images of one size."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of timm's ``create_model``."""
    relaxations: tuple[Relaxation, ...] = ()
    side: int = 0
    """Of the last feature map."""


def fit(architecture: str, image_shape: Shape) -> Fit:
    """How ``architecture`` is built for images ``(channels, height, width)``.

    Raises:
        ValueError: if it does not work on images of that size, with the smallest size that does.
    """
    found = _search(architecture, image_shape)
    if isinstance(found, Fit):
        return found
    height, width = image_shape[1:]
    raise ValueError(
        f"architecture {architecture!r} does not work on images of {width}x{height} pixels: "
        f"{found}; {_smallest(architecture, image_shape[0], min(height, width))}"
    )


def _smallest(architecture: str, channels: int, side: int) -> str:
    # ours may be made for one size alone; what timm's need is more pixels
    others = [other for other in SIDES if other > side or _is_ours(architecture)]
    for other in others:
        if isinstance(_search(architecture, (channels, other, other)), Fit):
            return f"the smallest size that works is {other}x{other}"
    return "choose another architecture"


@lru_cache(maxsize=1024)
def _search(architecture: str, image_shape: Shape) -> Fit | str:
    """The first fit with a large enough last map, else the best one, else why there is none."""
    side = min(image_shape[1:])
    wanted = max(SMALLEST_MAP, side // 8)
    best, reason = Fit(), ""
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of architectures that are only tried
        for candidate in _candidates(architecture, image_shape):
            if isinstance(candidate, str):
                reason = reason or candidate
                continue
            if candidate.side >= wanted or side >= LARGE or _is_ours(architecture):
                return candidate
            best = max(best, candidate, key=lambda fit: fit.side)
    if best.side >= SMALLEST_MAP:
        return best
    if not best.side:
        return reason
    return (
        f"its last feature map would have {best.side}x{best.side} positions, and must have at "
        f"least {SMALLEST_MAP}x{SMALLEST_MAP}"
    )


def _is_ours(architecture: str) -> bool:
    return timm.model_entrypoint(architecture).__module__.startswith("trainables.")


def _candidates(architecture: str, image_shape: Shape) -> Iterator[Fit | str]:
    if _is_ours(architecture):  # made for small images; built with nothing but classes and colours
        yield _tried(architecture, image_shape, {})
        return
    if min(image_shape[1:]) < LARGE:
        yield from _with_small_patches(architecture, image_shape)
    yield from _with_fewer_strides(architecture, image_shape)


def _with_small_patches(architecture: str, image_shape: Shape) -> Iterator[Fit | str]:
    patch = max(1, min(image_shape[1:]) // 8)
    while patch:
        settings = {"img_size": _size(image_shape), "patch_size": patch}
        for windows in ({"window_size": 8}, {}):
            found = _tried(architecture, image_shape, {**settings, **windows})
            if isinstance(found, Fit):
                yield found
                break
        patch //= 2


def _with_fewer_strides(architecture: str, image_shape: Shape) -> Iterator[Fit | str]:
    factors = (1, 2, 4, 8, 16) if min(image_shape[1:]) < LARGE else (1,)
    for factor in factors:
        channels, height, width = image_shape
        larger = (channels, factor * height, factor * width)
        found = _tried(architecture, larger, {"img_size": _size(larger)}, factor)
        if isinstance(found, str):  # convolutional networks do not take the size of the image
            found = _tried(architecture, larger, {}, factor)
        yield found
        if found == RIGID:
            return


def _size(image_shape: Shape) -> int | tuple[int, int]:
    height, width = image_shape[1:]
    return height if height == width else (height, width)


def _tried(
    architecture: str, image_shape: Shape, settings: Mapping[str, Any], factor: int = 1
) -> Fit | str:
    """Build for ``image_shape`` and divide the first strides by ``factor``, or say why not."""
    try:
        network = _skeleton(architecture, image_shape[0], settings)
        side = final_side(network, _black(image_shape))
        relaxations: dict[str, Relaxation] = {}
        for power in range(1, factor.bit_length()):
            seen = image_shape[0], image_shape[1] // 2**power, image_shape[2] // 2**power
            relaxations = _halve(network, seen, relaxations, side)
    except Exception as error:  # architectures fail in their own ways
        return _in_a_line(error)
    return Fit(settings, tuple(relaxations.values()), side)


def _skeleton(architecture: str, channels: int, settings: Mapping[str, Any]) -> nn.Module:
    with torch.device("meta"):
        network: nn.Module = timm.create_model(architecture, in_chans=channels, **settings)
    return network.eval()


def _black(image_shape: Shape) -> Tensor:
    return torch.zeros(1, *image_shape, device="meta")


def _halve(
    network: nn.Module, seen: Shape, relaxations: Mapping[str, Relaxation], side: int
) -> dict[str, Relaxation]:
    """Halve the first stride; where branches then no longer fit together, all of that place.

    Args:
        network: as timm makes it.
        seen: the images' shape behind the halving.
        relaxations: what was done to the network before.
        side: of the last feature map, which is to stay.
    """
    before = _relaxed(network, relaxations)
    layers = strided_layers(before, _black((seen[0], 2 * seen[1], 2 * seen[2])))
    here = [layer for layer in layers if layer.side_in == layers[0].side_in]
    for chosen in (here[:1], here):
        new = {layer.name: halved(before, layer) for layer in chosen if layer.stride % 2 == 0}
        together = {**relaxations, **new}
        if new and _keeps(_relaxed(network, together), seen, side):
            return together
    raise ValueError(RIGID)


def _relaxed(network: nn.Module, relaxations: Mapping[str, Relaxation]) -> nn.Module:
    other = copy.deepcopy(network)
    relax(other, relaxations.values())
    return other


def _keeps(network: nn.Module, seen: Shape, side: int) -> bool:
    try:
        return final_side(network, _black(seen)) >= side
    except (RuntimeError, AssertionError, ValueError):
        return False


def _in_a_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else f"it stops with {type(error).__name__}"
