"""Compiled networks: faster passes, for a minute at the start of a process."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch._functorch import config as functorch

from trainables.models import Network, frozen, module_mode


def compile_in_place(batch_shape: Sequence[int], *networks: Network | None) -> None:
    """Compile what the attack and the loss run; keys of the state dict stay as they are.

    A network that is compiled already (a teacher that serves many trials) is left alone.

    Args:
        batch_shape: ``(batch, channels, height, width)`` of training; one graph per shape.
        networks: None is passed over.

    Raises:
        ValueError: if torch.compile does not work on this machine, or for a network.
    """
    functorch.donated_buffer = False  # input gradients run a teacher's backward twice
    for network in networks:
        if network is not None and network.model._compiled_call_impl is None:
            network.model.compile(dynamic=False)
            _try(network, batch_shape)


def _try(network: Network, batch_shape: Sequence[int]) -> None:
    images = torch.full(tuple(batch_shape), 0.5, device=network.mean.device, requires_grad=True)
    try:
        with module_mode(network, training=False), frozen(network):
            torch.autograd.grad(network(images).sum(), images)
    except Exception as error:  # dynamo, inductor and the C++ compiler have no common base
        network.model._compiled_call_impl = None
        first_line = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"hardware.compile is true, but torch.compile does not work here for "
            f"{type(network.model).__name__} ({type(error).__name__}: {first_line}); "
            "set it to false, or install a C++ compiler such as g++"
        ) from error


@contextmanager
def uncompiled() -> Iterator[None]:
    """Let compiled networks run uncompiled inside: other shapes cost no compilation."""
    with torch.compiler.set_stance("force_eager"):
        yield
