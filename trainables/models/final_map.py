"""The last feature map of any timm network, in one layout."""

from typing import Any

import torch
from torch import Tensor, nn


def final_side(network: nn.Module, images: Tensor) -> int:
    """Side of the last feature map, in positions; the whole network has to run to its logits."""
    with torch.no_grad():
        network(images)
        return min(last_map(network, images).shape[2:])


def last_map(network: Any, images: Tensor) -> Tensor:
    """The last feature map ``(batch, channels, height, width)``."""
    if hasattr(network, "forward_intermediates"):
        _, maps = network.forward_intermediates(images, indices=[-1], output_fmt="NCHW")
        last: Tensor = maps[-1]
        return last
    features: Tensor = network.forward_features(images)
    return features
