"""Whether weights are those of an architecture, and of what images and classes."""

from typing import Any, NamedTuple

import timm
import torch
from torch import nn

from trainables.models.factory import check_architecture
from trainables.models.wrapping import Weights
from trainables.spelling import shortened

HEADS = ("fc", "linear", "logits", "head", "head.fc", "classifier")
"""Names of the last layer."""

STEMS = ("conv1", "init_conv", "stem.0", "patch_embed.proj", "patch_embed.proj.0.0")
"""Names of the first layer."""


def _size(weights: Weights, names: tuple[str, ...], *, dimension: int) -> int | None:
    layers = [weights[f"{name}.weight"] for name in names if f"{name}.weight" in weights]
    sizes: list[int] = [layer.shape[dimension] for layer in layers if layer.dim() > dimension]
    return sizes[0] if sizes else None


def num_classes_of(weights: Weights) -> int | None:
    """From the last layer; None if it is not found."""
    return _size(weights, HEADS, dimension=0)


def channels_of(weights: Weights) -> int | None:
    """Of the images, from the first layer; None if it is not found."""
    return _size(weights, STEMS, dimension=1)


def image_size_of(weights: Weights) -> int | None:
    """Pixels of a side; only a learnt position embedding tells it."""
    embedding, patches = weights.get("pos_embed"), weights.get("patch_embed.proj.weight")
    if embedding is None or patches is None or embedding.dim() != 3 or patches.dim() != 4:
        return None
    tokens = embedding.shape[1] - ("cls_token" in weights) - ("dist_token" in weights)
    side = round(tokens**0.5)
    if side**2 != tokens:  # deit3 has no position for its class token
        side = round(embedding.shape[1] ** 0.5)
    size: int = side * patches.shape[2]
    return size


USUAL_SIDE = 224
"""Pixels of the side of images where weights do not tell it."""


class Difference(NamedTuple):
    """Keys by which weights differ from a network; empty tuples where they do not."""

    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    reshaped: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any(self[:])

    def __str__(self) -> str:
        parts = zip(("missing", "unexpected", "of another shape"), self, strict=True)
        return ", ".join(
            f"{len(keys)} keys {what}" + (f" (first: {shortened(keys[0], 120)})" if keys else "")
            for what, keys in parts
        )


def compare(expected: Weights, weights: Weights) -> Difference:
    """How weights differ from a network's, where only BatchNorm's counters may be missing."""
    both = expected.keys() & weights.keys()
    missing = {key for key in expected if not key.endswith("num_batches_tracked")} - both
    return Difference(
        tuple(sorted(missing)),
        tuple(sorted(weights.keys() - both)),
        tuple(sorted(key for key in both if expected[key].shape != weights[key].shape)),
    )


def difference(architecture: str, weights: Weights) -> Difference:
    """How weights in our keys differ from an architecture's; nothing is computed.

    Raises:
        ValueError: for an unknown architecture.
    """
    side = image_size_of(weights) or USUAL_SIDE
    with torch.device("meta"):
        model = published_model(
            architecture,
            image_shape=(channels_of(weights) or 3, side, side),
            num_classes=num_classes_of(weights) or 1000,
        )
    return compare(model.state_dict(), weights)


def side_made_for(architecture: str, side: int) -> int | None:
    """Pixels that weights fit, if those of another size have other shapes (Swin's windows).

    None if weights for :data:`USUAL_SIDE` pixels also fit images of ``side`` pixels.
    """
    with torch.device("meta"):
        usual, other = (
            published_model(architecture, image_shape=(3, size, size), num_classes=10).state_dict()
            for size in (USUAL_SIDE, side)
        )
    return USUAL_SIDE if compare(other, usual) else None


def published_model(
    architecture: str, *, image_shape: tuple[int, int, int], num_classes: int
) -> nn.Module:
    """An untrained model that computes what its authors' does, on images of any size.

    Raises:
        ValueError: for an unknown architecture.
    """
    check_architecture(architecture)
    settings: dict[str, Any] = {"in_chans": image_shape[0], "num_classes": num_classes}
    model: nn.Module
    try:  # transformers must know the size of the image, convolutional networks do not take it
        model = timm.create_model(architecture, img_size=image_shape[1], **settings)
    except TypeError:
        model = timm.create_model(architecture, **settings)
    return model
