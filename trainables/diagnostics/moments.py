"""First and second moments of features over any number of images, streamed in float64."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Literal, Self

import torch
from torch import Tensor

from trainables.models import Network, module_mode

Pool = Literal["average", "spatial"]


@dataclass(frozen=True)
class Moments:
    r"""Count, mean and scatter of samples, in float64; parts merge without a second pass.

    Covariance divides by the count (biased), so merging parts equals one pass over all.

    Attributes:
        count: number of samples.
        mean: ``(channels,)``.
        scatter: :math:`\sum_i (x_i - \bar x)(x_i - \bar x)^T`, ``(channels, channels)``.
    """

    count: int
    mean: Tensor
    scatter: Tensor

    @classmethod
    def of(cls, samples: Tensor) -> Self:
        """Moments of samples ``(count, channels)``.

        Raises:
            ValueError: if there is no sample.
        """
        if not len(samples):
            raise ValueError("moments need at least one sample, got 0 images")
        exact = samples.double()
        mean = exact.mean(dim=0)
        centred = exact - mean
        return cls(len(samples), mean, centred.T @ centred)

    def merged(self, other: "Moments") -> "Moments":
        """Moments of both sets of samples together (Chan, Golub & LeVeque, 1979)."""
        count = self.count + other.count
        shift = other.mean - self.mean
        between = self.count * other.count / count * torch.outer(shift, shift)
        return Moments(
            count,
            self.mean + other.count / count * shift,
            self.scatter + other.scatter + between,
        )

    @property
    def covariance(self) -> Tensor:
        """``(channels, channels)``, centred and biased."""
        return self.scatter / self.count

    @property
    def gram(self) -> Tensor:
        """The uncentred second moment ``X^T X / count``, ``(channels, channels)``."""
        return self.covariance + torch.outer(self.mean, self.mean)

    @property
    def variances(self) -> Tensor:
        """Variance per channel, ``(channels,)``."""
        return self.covariance.diagonal()


def merge(parts: Iterable[Moments]) -> Moments:
    """Moments of all parts together."""
    return reduce(Moments.merged, parts)


def as_samples(features: Tensor, pool: Pool) -> Tensor:
    """Samples ``(count, channels)`` of features ``(batch, positions, channels)``.

    Args:
        features: as :meth:`Network.outputs` gives them.
        pool: ``average``: one sample per image, its mean over positions; ``spatial``: every
            position of every image is a sample.

    Raises:
        ValueError: for another ``pool``.
    """
    if pool == "average":
        return features.double().mean(dim=1)
    if pool == "spatial":
        return features.flatten(0, 1)
    raise ValueError(f"pool must be 'average' or 'spatial', got {pool!r}")


@torch.no_grad()
def feature_moments(
    network: Network,
    images: Tensor,
    layers: Sequence[int] = (-1,),
    *,
    pool: Pool = "average",
    batch_size: int = 512,
) -> dict[int, Moments]:
    """Moments of a network's features by tapped layer, in eval mode.

    Args:
        network: left in its own mode.
        images: ``(count, channels, height, width)`` in [0, 1].
        layers: feature maps counted from the end; -1 is the last one.
        pool: see :func:`as_samples`.
        batch_size: images per pass; does not change the result.

    Raises:
        ValueError: if there are no images, or the network has no such layer.
    """
    _refuse_none(images)
    with module_mode(network, training=False):
        parts = [
            {
                layer: Moments.of(as_samples(features, pool))
                for layer, features in network.outputs(part, layers).features.items()
            }
            for part in torch.split(images, batch_size)
        ]
    return {layer: merge(part[layer] for part in parts) for layer in layers}


@torch.no_grad()
def joint_moments(
    student: Network,
    teacher: Network,
    images: Tensor,
    layer: int = -1,
    *,
    pool: Pool = "average",
    batch_size: int = 512,
) -> tuple[Moments, int]:
    """Moments of both networks' features side by side, and the student's width.

    The blocks of the joint second moment are the student's, the teacher's and the one between
    them, which is all that sample-by-sample similarities need.

    Raises:
        ValueError: if there are no images, or positions are compared of which one network has more.
    """
    _refuse_none(images)
    parts: list[Moments] = []
    with module_mode(student, training=False), module_mode(teacher, training=False):
        for chunk in torch.split(images, batch_size):
            ours, theirs = (n.outputs(chunk, (layer,)).features[layer] for n in (student, teacher))
            if pool == "spatial" and ours.shape[1] != theirs.shape[1]:
                raise ValueError(
                    f"pool 'spatial' pairs the positions of two feature maps, but layer {layer} "
                    f"has {ours.shape[1]} in the student and {theirs.shape[1]} in the teacher; "
                    "use pool 'average'"
                )
            width = ours.shape[2]
            both = [as_samples(features, pool) for features in (ours, theirs)]
            parts.append(Moments.of(torch.cat(both, dim=1)))
    return merge(parts), width


def _refuse_none(images: Tensor) -> None:
    if not len(images):
        raise ValueError("features need at least one image, got 0")
