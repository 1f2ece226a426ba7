"""Input gradients of student and teacher: how far apart they are, and what they look like."""

import torch
from torch import Tensor
from torch.nn import functional as F

from trainables.data import Split
from trainables.models import Network, module_mode


def input_gradients(
    network: Network, images: Tensor, labels: Tensor, batch_size: int = 512
) -> Tensor:
    """Gradient of each image's cross-entropy, shaped as ``images``; the network in eval mode."""
    parts = zip(torch.split(images, batch_size), torch.split(labels, batch_size), strict=True)
    with module_mode(network, training=False), torch.enable_grad():
        return torch.cat([_gradients(network, *part) for part in parts])


def _gradients(network: Network, images: Tensor, labels: Tensor) -> Tensor:
    images = images.detach().requires_grad_()
    losses = F.cross_entropy(network(images).float(), labels, reduction="sum")
    (gradient,) = torch.autograd.grad(losses, images)
    return gradient


def gradient_gap(student: Network, teacher: Network, split: Split) -> dict[str, float]:
    """How far the student's input gradients are from the teacher's (Lee et al., 2025, Sec. 3).

    Returns:
        ``gradient_distance``: mean L2 distance, in nats per unit of image distance;
        ``gradient_cosine``: mean cosine, in [-1, 1].
    """
    own, taught = (
        input_gradients(network, split.images, split.labels).flatten(1)
        for network in (student, teacher)
    )
    return {
        "gradient_distance": (own - taught).norm(dim=1).mean().item(),
        "gradient_cosine": F.cosine_similarity(_scaled(own), _scaled(taught)).mean().item(),
    }


def _scaled(gradients: Tensor) -> Tensor:
    """Each row by its largest entry: squares of small gradients vanish in float32."""
    tiny = torch.finfo(gradients.dtype).tiny
    return gradients / gradients.abs().amax(dim=1, keepdim=True).clamp_min(tiny)


def zero_gradients(network: Network, split: Split) -> float:
    """Share of images whose input gradient is exactly zero."""
    gradients = input_gradients(network, split.images, split.labels).flatten(1)
    return (gradients == 0).all(dim=1).double().mean().item()
