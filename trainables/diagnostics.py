"""Why a student is robust, or only looks so."""

import torch
from torch import Tensor

from trainables.models import Network, module_mode


@torch.no_grad()
def feature_variance(network: Network, images: Tensor, batch_size: int = 512) -> float:
    """Total variance of the pooled penultimate features: the trace of their covariance.

    Args:
        network: run in eval mode.
        images: ``(count, channels, height, width)`` in [0, 1].
        batch_size: images per pass.

    Returns:
        Sum over channels of the (biased) variance, in squared feature units, accumulated in
        float64.
    """
    with module_mode(network, training=False):
        pooled = [
            network.outputs(part, (-1,)).features[-1].mean(dim=1).double()
            for part in torch.split(images, batch_size)
        ]
    variance: Tensor = torch.cat(pooled).var(dim=0, correction=0)
    return variance.sum().item()


def variance_gap(network: Network, clean: Tensor, adversarial: Tensor) -> float:
    """Variance of adversarial features minus that of clean ones, relative to the latter.

    Dong et al., ECCV 2024. The paper's quantity is the plain difference; dividing by the clean
    variance makes architectures comparable.
    """
    variance = feature_variance(network, clean)
    return (feature_variance(network, adversarial) - variance) / max(variance, 1e-12)
