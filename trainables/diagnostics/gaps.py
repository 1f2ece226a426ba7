"""How the features of adversarial images differ from those of clean ones, as distributions.

Dong et al., ECCV 2024: robust accuracy falls linearly with the variance gap.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.diagnostics.moments import StreamedMoments, stream_moments
from trainables.models import Network
from trainables.workers.ranks import ALONE, Ranks


@dataclass(frozen=True)
class Gaps:
    """Adversarial minus clean, over a whole split.

    Attributes:
        variance: trace of the covariance, adversarial minus clean, in squared feature units; the
            paper's quantity.
        relative_variance: the same, divided by the clean trace, so that architectures compare.
        per_channel: ``(channels,)``, variance of each channel, adversarial minus clean.
        covariance: Frobenius distance of the covariances, divided by the clean one's norm.
        gram: Frobenius distance of the uncentred second moments, divided by the clean one's norm.
    """

    variance: float
    relative_variance: float
    per_channel: Tensor
    covariance: float
    gram: float

    @property
    def scalars(self) -> dict[str, float]:
        """All but the channels, by name."""
        return {
            "variance_gap": self.variance,
            "relative_variance_gap": self.relative_variance,
            "covariance_gap": self.covariance,
            "gram_gap": self.gram,
        }


def gaps(
    network: Network,
    clean: Tensor,
    adversarial: Tensor,
    *,
    layer: int = -1,
    batch_size: int = 512,
    ranks: Ranks = ALONE,
) -> Gaps:
    """Compare pooled features of clean and attacked images.

    Args:
        network: run in eval mode.
        clean: ``(count, channels, height, width)`` in [0, 1].
        adversarial: the same images after an attack.
        layer: feature map, counted from the end.
        batch_size: images per pass; the result does not depend on it.
        ranks: the processes over which the images are spread; these are this one's.

    Raises:
        ValueError: if there are fewer than two images, which have no variance.
    """
    if len(clean) < 2 or clean.shape != adversarial.shape:
        raise ValueError(
            "a variance gap compares the same images, at least two, clean and attacked; got shapes "
            f"{tuple(clean.shape)} and {tuple(adversarial.shape)}"
        )
    before, after = (
        stream_moments(network, torch.split(images, batch_size), layer).over(ranks)
        for images in (clean, adversarial)
    )
    return compare(before, after)


def compare(before: StreamedMoments, after: StreamedMoments) -> Gaps:
    """The gaps between two streams of moments of equal width."""
    per_channel = after.covariance.diagonal() - before.covariance.diagonal()
    total = before.covariance.trace().item()
    return Gaps(
        variance=per_channel.sum().item(),
        relative_variance=per_channel.sum().item() / max(total, 1e-12),
        per_channel=per_channel,
        covariance=_relative_distance(after.covariance, before.covariance),
        gram=_relative_distance(after.gram, before.gram),
    )


def _relative_distance(moment: Tensor, reference: Tensor) -> float:
    return float((moment - reference).norm() / reference.norm().clamp_min(1e-12))


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
    moments = stream_moments(network, torch.split(images, batch_size))
    return float(moments.covariance.trace())


def variance_gap(
    network: Network, clean: Tensor, adversarial: Tensor, ranks: Ranks = ALONE
) -> float:
    """Variance of adversarial features minus that of clean ones, relative to the latter.

    Dong et al., ECCV 2024. The paper's quantity is the plain difference; dividing by the clean
    variance makes architectures comparable.
    """
    return gaps(network, clean, adversarial, ranks=ranks).relative_variance
