"""Adversarial weight perturbation: the loss is minimised at the worst weights nearby."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from pydantic import Field
from torch import Tensor, nn

from trainables.frozen import Frozen
from trainables.models import untracked
from trainables.workers.ranks import ALONE, Ranks


class WeightPerturbationConfig(Frozen):
    """AWP (Wu et al., NeurIPS 2020)."""

    strength: float = Field(
        0.01,
        gt=0,
        le=1,
        description="gamma: length of the perturbation relative to each layer's weights; 0.01 with "
        "adversarial training, 0.005 with TRADES in the authors' code",
    )
    start: float = Field(
        0.0, ge=0, lt=1, description="share of the epochs before it begins; the authors' warm-up"
    )


@contextmanager
def worst_weights(
    student: nn.Module, loss: Callable[[], Tensor], strength: float, ranks: Ranks = ALONE
) -> Iterator[None]:
    r"""Inside, each weight matrix stands at the worst point nearby; afterwards where it was.

    .. math:: w \leftarrow w + \gamma \|w\| \frac{\nabla_w L}{\|\nabla_w L\|}

    layer by layer (Wu et al., 2020, eq. 10), for parameters of two or more dimensions, one step as
    in the authors' code. BatchNorm's running statistics do not see the pass that finds it.

    Args:
        student: whose weights move.
        loss: the loss to make worse, as a function without arguments; called once.
        strength: gamma.
        ranks: the processes over whose images the loss is a mean.
    """
    weights = [p for p in student.parameters() if p.dim() > 1 and p.requires_grad]
    with untracked(student):
        gradients = torch.autograd.grad(loss(), weights, allow_unused=True)
    ranks.average(gradients)
    before = [weight.detach().clone() for weight in weights]
    with torch.no_grad():
        for weight, gradient in zip(weights, gradients, strict=True):
            if gradient is not None:
                length = strength * weight.norm() / gradient.norm().clamp_min(1e-12)
                weight.add_(length * gradient)
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, old in zip(weights, before, strict=True):
                weight.copy_(old)
