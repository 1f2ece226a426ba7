"""Second derivatives: what input-gradient alignment needs of a student."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainables.models.network import Network, at_least_float32, module_mode, untracked


def allow_double_backward(network: nn.Module) -> None:
    """Replace what has no second derivative by forms of equal value that have one.

    Fused attention becomes plain attention, ``nn.Hardsigmoid`` (MobileNetV3, LCNet) a ReLU6.
    """
    for module in list(network.modules()):
        if hasattr(module, "fused_attn"):
            module.fused_attn = False  # type: ignore[assignment]  # timm's plain attribute
        for name, child in module.named_children():
            if isinstance(child, nn.Hardsigmoid):
                module.register_module(name, _Relu6Hardsigmoid())


class _Relu6Hardsigmoid(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu6(x + 3) / 6


def require_double_backward(
    network: Network, architecture: str, image_shape: Sequence[int]
) -> None:
    """Try one double backward on two grey images, before any training.

    Raises:
        ValueError: if an operation of the network has no second derivative.
    """
    images = torch.full((2, *image_shape), 0.5, device=network.mean.device, requires_grad=True)
    parameters = [p for p in network.parameters() if p.requires_grad]
    try:
        with module_mode(network, training=True), untracked(network):
            loss = at_least_float32(network(images)).logsumexp(dim=1).sum()
            (gradient,) = torch.autograd.grad(loss, images, create_graph=True)
            torch.autograd.grad(gradient.square().sum(), parameters, allow_unused=True)
    except (RuntimeError, NotImplementedError) as error:
        first_line = str(error).partition("\n")[0]
        raise ValueError(
            f"student {architecture!r} has an operation without a second derivative "
            f"({first_line}), which alignments.input_gradient needs in mode 'exact'; set mode to "
            "'finite_difference', or use alignments.igdm, which is of first order"
        ) from error
