"""Several teachers as one."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainables.models import Network
from trainables.models.network import at_least_float32


class MeanOfProbabilities(nn.Module):
    r"""Logits :math:`\log \frac{1}{M} \sum_m softmax(f_m(x))`: their softmax is the mean.

    Each member resizes and standardises for itself; the gradient goes through all of them.
    """

    def __init__(self, members: Sequence[Network]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(batch, classes)`` of images in [0, 1]."""
        scores = [at_least_float32(member(images)).log_softmax(dim=1) for member in self.members]
        return torch.stack(scores).logsumexp(dim=0) - math.log(len(scores))

    def forward_intermediates(self, *_: object, **__: object) -> None:
        """Refused: members of other architectures have no common feature maps.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            "an ensemble of teachers has logits but no feature maps; name a single teacher, or "
            "measure and align logits or probabilities only"
        )


def ensemble(members: Sequence[Network]) -> Network:
    """A network that is the mean of others; images reach them as they are."""
    channels = members[0].mean.numel()
    network = Network(MeanOfProbabilities(members), mean=[0.0] * channels, std=[1.0] * channels)
    return network.to(members[0].mean.device)
