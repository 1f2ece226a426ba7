"""Gradient accumulation: a batch in parts, for a device that cannot hold it whole."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from trainables.frozen import Frozen


class AccumulationConfig(Frozen):
    """A batch is attacked and differentiated in parts, whose gradients are summed before a step.

    What is a mean over images, loss and gradient, is that of the whole batch, and so is the start
    of the attack. What couples the images of a batch sees those of its part: BatchNorm, covariance
    and Gram terms, the direction of AWP.
    """

    micro_batches: int = Field(ge=1, description="parts of a batch; must divide its images")
    from_epoch: int = Field(
        1, ge=1, description="first epoch in parts; above 1 where a trial ran out of memory later"
    )


def parts(size: int, count: int) -> Iterator[slice]:
    """Rows of each of ``count`` equal parts of ``size`` images.

    Strided, so that a batch that ends with extra images has as many of them in every part.
    """
    yield from (slice(part, size, count) for part in range(count))


def next_number(batch_size: int, workers: int, present: int) -> int | None:
    """The next larger number of parts that leaves each worker two or more images in a part.

    Returns:
        None where a batch cannot be cut any further.
    """
    own = batch_size // workers
    larger = range(present + 1, own // 2 + 1)
    return next((number for number in larger if own % number == 0), None)


def mean_state(states: Iterable[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The mean, by name, of what the parts of a batch made of a method's scalars."""
    found = list(states)
    if len(found) == 1:
        return dict(found[0])
    return {name: torch.stack([state[name] for state in found]).mean(0) for name in found[0]}


@contextmanager
def shared_momentum(network: nn.Module, count: int) -> Iterator[None]:
    r"""Let ``count`` passes move BatchNorm's running statistics as far as one pass does.

    With momentum :math:`m` a pass keeps the share :math:`1 - m` of what there was, so each of
    :math:`k` passes has the momentum :math:`1 - (1 - m)^{1/k}`.
    """
    layers = [m for m in network.modules() if isinstance(m, _BatchNorm) and m.momentum is not None]
    before = [layer.momentum for layer in layers]
    try:
        for layer in layers if count > 1 else ():
            layer.momentum = 1 - (1 - float(layer.momentum or 0.0)) ** (1 / count)
        yield
    finally:
        for layer, momentum in zip(layers, before, strict=True):
            layer.momentum = momentum
