"""The floor: the raw forwards and backwards that a method needs, and nothing around them."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from trainables.models import Network

Pass = Callable[[Network, Tensor, Tensor], object]


def forward(network: Network, images: Tensor, labels: Tensor) -> object:
    with torch.no_grad():
        return network(images)


def input_gradient(network: Network, images: Tensor, labels: Tensor) -> object:
    """Forward, and backward to the images alone: a step of an attack."""
    images = images.detach().requires_grad_()
    loss = F.cross_entropy(network(images).float(), labels, reduction="sum")
    return torch.autograd.grad(loss, images)


def weight_gradient(network: Network, images: Tensor, labels: Tensor) -> object:
    """Forward, and backward to the weights: a step of SGD without the optimiser."""
    loss = F.cross_entropy(network(images).float(), labels)
    return torch.autograd.grad(loss, trained(network))


def double_backward(network: Network, images: Tensor, labels: Tensor) -> object:
    """Forward, backward to the images, and both of these back to the weights."""
    images = images.detach().requires_grad_()
    loss = F.cross_entropy(network(images).float(), labels)
    (gradient,) = torch.autograd.grad(loss, images, create_graph=True)
    return torch.autograd.grad(loss + gradient.square().sum(), trained(network), allow_unused=True)


def trained(network: Network) -> list[Tensor]:
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


PASSES: Mapping[str, tuple[str, bool, Pass]] = {
    "student_attack": ("student", False, input_gradient),
    "student_train": ("student", True, weight_gradient),
    "student_double": ("student", True, double_backward),
    "teacher_forward": ("teacher", False, forward),
    "teacher_attack": ("teacher", False, input_gradient),
}
"""By name: whose pass, whether in train mode, and what it does."""
