"""Input gradients as maps of where a network looks."""

import torch
from torch import Tensor


def saliency(gradients: Tensor) -> Tensor:
    """Strength per pixel ``(count, height, width)`` as a share of the image's strongest.

    Args:
        gradients: ``(count, channels, height, width)``; the strongest channel counts, and one that
            is zero everywhere gives a map of zeros.
    """
    strength = gradients.abs().amax(dim=1)
    largest = strength.amax(dim=(1, 2), keepdim=True)
    return strength / largest.clamp_min(torch.finfo(strength.dtype).tiny)
