"""Moments of features over a whole split, streamed in float64."""

from collections.abc import Iterable
from typing import Self

import torch
from torch import Tensor

from trainables.models import Network, module_mode
from trainables.workers.ranks import Ranks


class StreamedMoments:
    """Mean and scatter matrix of vectors that come in parts.

    Parts are merged as by Chan, Golub & LeVeque, 1983: no difference of large sums is ever taken.
    """

    def __init__(self) -> None:
        self.count = 0
        self._mean = torch.zeros(())
        self._scatter = torch.zeros(())

    def add(self, vectors: Tensor) -> None:
        """Take ``(count, channels)`` in."""
        part = vectors.double()
        mean = part.mean(dim=0)
        centred = part - mean
        scatter = centred.T @ centred
        if self.count == 0:
            self.count, self._mean, self._scatter = len(part), mean, scatter
            return
        total, shift = self.count + len(part), mean - self._mean
        weight = self.count * len(part) / total
        self._scatter = self._scatter + scatter + weight * torch.outer(shift, shift)
        self._mean = self._mean + shift * len(part) / total
        self.count = total

    def over(self, ranks: Ranks) -> Self:
        """The same of the vectors of all ranks."""
        whole = type(self)()
        count = ranks.total(torch.tensor(self.count, device=self._mean.device))
        whole.count = int(count.item())
        whole._mean = ranks.total(self.count * self._mean) / whole.count
        shift = self._mean - whole._mean
        whole._scatter = ranks.total(self._scatter + self.count * torch.outer(shift, shift))
        return whole

    @property
    def mean(self) -> Tensor:
        """``(channels,)``."""
        return self._mean

    @property
    def covariance(self) -> Tensor:
        """``(channels, channels)``, biased: divided by the count."""
        return self._scatter / self.count

    @property
    def gram(self) -> Tensor:
        """Uncentred second moment ``F^T F / count``, ``(channels, channels)``."""
        return self.covariance + torch.outer(self._mean, self._mean)


@torch.no_grad()
def stream_moments(network: Network, images: Iterable[Tensor], layer: int = -1) -> StreamedMoments:
    """Moments of the pooled features of a layer; the network in eval mode.

    Args:
        network: measured.
        images: parts ``(count, channels, height, width)`` in [0, 1].
        layer: feature map, counted from the end.
    """
    moments = StreamedMoments()
    with module_mode(network, training=False):
        for part in images:
            moments.add(network.outputs(part, (layer,)).features[layer].mean(dim=1))
    return moments
