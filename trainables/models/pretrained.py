"""Weights that timm knows where to get."""

from typing import Any

import timm
from torch import nn


def check_pretrained(architecture: str) -> None:
    """See that timm has weights for the architecture.

    Raises:
        ValueError: if it has none.
    """
    config = timm.get_pretrained_cfg(architecture, allow_unregistered=True)
    if config is None or not config.has_weights:
        raise ValueError(
            f"timm has no pretrained weights for {architecture!r}; set pretrained to false, or "
            "give a checkpoint"
        )


def pretrained_model(architecture: str, **settings: Any) -> nn.Module:
    """A model with timm's weights; a head for another number of classes stays untrained.

    Raises:
        ValueError: if timm has none, or cannot get them or fit them in.
    """
    check_pretrained(architecture)
    try:
        model: nn.Module = timm.create_model(architecture, pretrained=True, **settings)
    except Exception as error:  # of the hub, the network or the disk, or of weights that do not fit
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"timm could not load its pretrained weights of {architecture!r} ({reason[:200]}); "
            "give a checkpoint that you have downloaded, or set pretrained to false"
        ) from error
    return model
