"""Building networks by the names of timm's registry."""

from collections.abc import Sequence
from typing import Any

import timm

# importing them registers their names
from trainables.models import cifar_resnet, small, wide_resnet  # noqa: F401
from trainables.models.network import Network
from trainables.spelling import unknown


def known_architectures() -> list[str]:
    """Every name that :func:`create_network` takes, sorted."""
    return sorted(timm.list_models())


def check_architecture(name: str) -> str:
    """Return ``name`` if timm's registry knows it.

    Raises:
        ValueError: with the nearest known names otherwise.
    """
    if not timm.is_model(name):
        raise ValueError(unknown("architecture", name, known_architectures()))
    return name


def create_network(
    architecture: str,
    *,
    image_shape: tuple[int, int, int],
    num_classes: int,
    mean: Sequence[float],
    std: Sequence[float],
) -> Network:
    """An untrained network for images ``(channels, height, width)``.

    Raises:
        ValueError: for an unknown architecture.
    """
    check_architecture(architecture)
    channels, height, _ = image_shape
    settings: dict[str, Any] = {"in_chans": channels, "num_classes": num_classes}
    try:  # transformers must know the size of the image, convolutional networks do not take it
        model = timm.create_model(architecture, img_size=height, **settings)
    except TypeError:
        model = timm.create_model(architecture, **settings)
    return Network(model, mean, std)
