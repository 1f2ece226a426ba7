"""Input gradients: how alike those of student and teacher are, and as maps to look at."""

from typing import NamedTuple

import torch
from torch import Tensor

from trainables.attacks import cross_entropy_objective
from trainables.data import Split
from trainables.diagnostics.bound import value_and_gradient
from trainables.models import Network, module_mode


class GradientAgreement(NamedTuple):
    """Input gradients of student and teacher (GD and GC of Lee et al., 2024, IGDM, App. A.4).

    Attributes:
        distance: mean L2 distance, in nats per unit of image distance; 0 is equal.
        cosine: mean cosine in [-1, 1]; an image where either gradient is exactly 0 counts as 0.
        zero_share: share of images where either gradient is exactly 0: the loss has underflowed
            there, and distance and cosine say little.
    """

    distance: float
    cosine: float
    zero_share: float


def input_gradients(network: Network, split: Split, batch_size: int = 512) -> Tensor:
    """Gradient of each image's cross-entropy, of the images' shape; the network in eval mode."""
    parts = zip(
        torch.split(split.images, batch_size), torch.split(split.labels, batch_size), strict=True
    )
    with module_mode(network, training=False):
        gradients = [
            value_and_gradient(cross_entropy_objective(network, labels), images)[1]
            for images, labels in parts
        ]
    return torch.cat(gradients)


def gradient_agreement(
    student: Network, teacher: Network, split: Split, batch_size: int = 512
) -> GradientAgreement:
    """Distance and cosine of the input gradients over a split."""
    ours, theirs = (input_gradients(n, split, batch_size) for n in (student, teacher))
    return agreement_of(ours, theirs)


def agreement_of(ours: Tensor, theirs: Tensor) -> GradientAgreement:
    """Distance and cosine of two sets of gradients ``(count, channels, height, width)``."""
    first, second = ours.flatten(1).double(), theirs.flatten(1).double()
    zero = (first == 0).all(dim=1) | (second == 0).all(dim=1)
    return GradientAgreement(
        distance=torch.linalg.vector_norm(first - second, dim=1).mean().item(),
        cosine=(_unit(first) * _unit(second)).sum(dim=1).mean().item(),
        zero_share=zero.double().mean().item(),
    )


def _unit(rows: Tensor) -> Tensor:
    # by hand: F.cosine_similarity takes gradients below 1e-8, as confident networks have, for zero
    scaled = rows / rows.abs().amax(dim=1, keepdim=True).clamp_min(torch.finfo(rows.dtype).tiny)
    norms: Tensor = torch.linalg.vector_norm(scaled, dim=1, keepdim=True)
    return scaled / norms.clamp_min(torch.finfo(rows.dtype).tiny)


def saliency(gradients: Tensor) -> Tensor:
    """Strength per pixel ``(count, height, width)`` as a share of the image's strongest.

    Args:
        gradients: ``(count, channels, height, width)``; the strongest channel counts, and one that
            is zero everywhere gives a map of zeros.
    """
    strength = gradients.abs().amax(dim=1)
    largest = strength.amax(dim=(1, 2), keepdim=True)
    return strength / largest.clamp_min(torch.finfo(strength.dtype).tiny)
