"""Entries of our networks in timm's registry."""

from collections.abc import Callable
from typing import Any

from timm.models import register_model
from torch import nn


def accepted(kwargs: dict[str, Any], *names: str) -> dict[str, Any]:
    """Of what timm passes to every architecture, what the network's constructor takes."""
    return {name: kwargs[name] for name in names if name in kwargs}


def refuse_pretrained(name: str, pretrained: bool) -> None:
    """See that nobody gets untrained weights who asked for trained ones.

    Raises:
        ValueError: if ``pretrained``.
    """
    if pretrained:
        raise ValueError(f"{name} has no pretrained weights; give a checkpoint instead")


def register(name: str, build: Callable[..., nn.Module], module: str) -> None:
    """Enter ``build`` into timm's registry; it gets ``num_classes`` and ``in_chans``.

    Args:
        name: of the architecture.
        build: makes an untrained network.
        module: ``__name__`` of the file that describes the network.
    """

    def entrypoint(pretrained: bool = False, **kwargs: Any) -> nn.Module:
        refuse_pretrained(name, pretrained)
        return build(**accepted(kwargs, "num_classes", "in_chans"))

    entrypoint.__name__ = entrypoint.__qualname__ = name
    entrypoint.__module__ = module
    register_model(entrypoint)
