"""Second moments of features: covariances and Gram matrices, and their running means."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainables.workers.ranks import ALONE, Ranks

Axis = Literal["channel", "sample", "position"]
Pool = Literal["average", "spatial"]


def second_moment(
    features: Tensor,
    *,
    axis: Axis,
    pool: Pool,
    centered: bool,
    unbiased: bool = False,
    unit_rows: bool = False,
    ranks: Ranks = ALONE,
) -> Tensor:
    r"""Channel moment :math:`X^T X / n`, sample or position moment :math:`X X^T / d`.

    Args:
        features: ``(batch, positions, channels)``.
        axis: which of the three.
        pool: ``average`` over positions first; ``spatial`` keeps them, as samples for the channel
            axis and as features for the sample axis. The position axis always keeps them.
        centered: subtract the mean over the samples (over the positions of each image for the
            position axis) first, in the features' precision (``E[xx] - E[x]E[x]`` loses it).
        unbiased: divide by n - 1 instead of n (channel axis).
        unit_rows: scale every sample's vector to length 1 before anything else.
        ranks: the processes over which the batch is spread; sums go over all of them, and every
            one gets the moment of the whole batch.

    Returns:
        ``(channels, channels)``, divided by the number of samples; ``(batch, batch)``, divided by
        the number of features; or ``(batch, positions, positions)``, divided by channels. The
        diagonal of the centred channel moment is the variance per channel.
    """
    samples = _samples(features, axis, pool)
    if unit_rows:
        samples = F.normalize(samples, dim=-1)
    if axis == "sample":
        samples = ranks.gathered(samples)
    if centered:
        mean = samples.mean(dim=-2, keepdim=True)
        samples = samples - (ranks.mean(mean) if axis == "channel" else mean)
    if axis == "channel":
        count = ranks.count * len(samples) - unbiased
        return ranks.total(samples.T @ samples) / count
    moment = samples @ samples.mT / samples.shape[-1]
    return ranks.gathered(moment) if axis == "position" else moment


def _samples(features: Tensor, axis: Axis, pool: Pool) -> Tensor:
    if axis == "position":
        return features
    if pool == "average":
        return features.mean(dim=1)
    return features.flatten(0, 1) if axis == "channel" else features.flatten(1)


class RunningMoment(nn.Module):
    """Exponential mean of a moment over the steps; the newest one keeps its gradient.

    Assumes that the networks change slowly against the memory of ``1 / (1 - momentum)`` steps. The
    gradient of the mean is that of the newest moment times its share in the mean.

    Args:
        width: of the square moment.
        momentum: share of the past, in [0, 1).
    """

    mean: Tensor
    share: Tensor

    def __init__(self, width: int, momentum: float) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("mean", torch.zeros(width, width))
        self.register_buffer("share", torch.zeros(()))  # of the past in the mean, 1 - momentum^t

    def forward(self, moment: Tensor) -> Tensor:
        """The mean with ``moment`` in it; remembered in train mode alone."""
        mean = self.momentum * self.mean + (1 - self.momentum) * moment
        share = self.momentum * self.share + (1 - self.momentum)
        if self.training:
            self.mean, self.share = mean.detach(), share.detach()
        return mean / share
