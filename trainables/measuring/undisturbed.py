"""A network as it is to be measured, and left as it was: also after an exception."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from trainables.models import frozen, module_mode


@contextmanager
def undisturbed(network: nn.Module) -> Iterator[None]:
    """Eval mode, frozen parameters, plain float32; afterwards everything is as it was.

    Frozen, because FAB calls ``backward`` and would leave gradients in the parameters. Plain
    float32, because attacks underflow in half precision and TF32 loses 13 bits of the mantissa.
    """
    with module_mode(network, training=False), frozen(network), plain_float32():
        yield


@contextmanager
def plain_float32() -> Iterator[None]:
    """Neither autocast nor TF32, on any device; afterwards as before."""
    cudnn: Any = torch.backends.cudnn  # its submodules are made at run time
    backends: list[Any] = [torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn]
    before = [backend.fp32_precision for backend in backends]
    try:
        for backend in backends:
            backend.fp32_precision = "ieee"
        with torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False):
            yield
    finally:
        for backend, precision in zip(backends, before, strict=True):
            backend.fp32_precision = precision
