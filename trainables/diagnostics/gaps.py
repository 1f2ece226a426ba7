"""How far an attack moves the moments of a network's features."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from trainables.attacks import AttackConfig, margin_objective
from trainables.data import Split
from trainables.diagnostics.moments import Moments, Pool, feature_moments
from trainables.evaluation import accuracy_under, adversarial_images
from trainables.models import Network
from trainables.threat import ThreatModel


@dataclass(frozen=True)
class Gaps:
    r"""Moments under attack against clean ones, after Dong et al., ECCV 2024.

    Relative values are divided by the clean one (trace, or Frobenius norm), so that they compare
    across architectures. All are in squared feature units, or without unit where relative.

    Attributes:
        variance: :math:`tr\,\Sigma_{adv} - tr\,\Sigma_{clean}`, the paper's plain difference.
        relative_variance: the same, divided by :math:`tr\,\Sigma_{clean}`.
        covariance: :math:`\|\Sigma_{adv} - \Sigma_{clean}\|_F`.
        relative_covariance: the same, divided by :math:`\|\Sigma_{clean}\|_F`.
        gram: :math:`\|G_{adv} - G_{clean}\|_F` with the uncentred :math:`G = X^T X / n`.
        relative_gram: the same, divided by :math:`\|G_{clean}\|_F`.
        per_channel: difference of the variances, ``(channels,)``; its sum is ``variance``.
    """

    variance: float
    relative_variance: float
    covariance: float
    relative_covariance: float
    gram: float
    relative_gram: float
    per_channel: Tensor

    def scalars(self) -> dict[str, float]:
        """All but ``per_channel``, by name."""
        return {k: v for k, v in vars(self).items() if k != "per_channel"}


class EpsilonRow(NamedTuple):
    """A network under one radius: robust accuracy in [0, 1], and what its features did."""

    epsilon: float
    robust_accuracy: float
    gaps: Gaps


def gaps_between(clean: Moments, adversarial: Moments) -> Gaps:
    """Gaps of two sets of moments of the same features."""
    per_channel = adversarial.variances - clean.variances
    variance = per_channel.sum().item()
    covariance = _norm(adversarial.covariance - clean.covariance)
    gram = _norm(adversarial.gram - clean.gram)
    return Gaps(
        variance=variance,
        relative_variance=relative(variance, clean.variances.sum().item()),
        covariance=covariance,
        relative_covariance=relative(covariance, _norm(clean.covariance)),
        gram=gram,
        relative_gram=relative(gram, _norm(clean.gram)),
        per_channel=per_channel,
    )


def feature_gaps(
    network: Network,
    clean: Tensor,
    adversarial: Tensor,
    layers: Sequence[int] = (-1,),
    *,
    pool: Pool = "average",
    batch_size: int = 512,
) -> dict[int, Gaps]:
    """Gaps by tapped layer over whole sets of images ``(count, channels, height, width)``."""
    before, after = (
        feature_moments(network, images, layers, pool=pool, batch_size=batch_size)
        for images in (clean, adversarial)
    )
    return {layer: gaps_between(before[layer], after[layer]) for layer in layers}


def gaps_over_epsilon(  # noqa: PLR0917 - what is attacked, then with what
    network: Network,
    split: Split,
    threat: ThreatModel,
    attack: AttackConfig,
    epsilons: Sequence[float],
    *,
    seed: int,
    layer: int = -1,
    pool: Pool = "average",
    batch_size: int = 512,
) -> list[EpsilonRow]:
    """Robust accuracy and gaps under margin PGD, radius by radius.

    Args:
        network: run in eval mode.
        split: the images and labels measured on.
        threat: gives the norm; its radius is replaced.
        attack: steps and step size, the latter as a share of each radius.
        epsilons: radii in the units of images in [0, 1]; 0 gives the clean images.
        seed: of the attack's starts, the same at every radius.
        layer: feature map, counted from the end.
        pool: see :func:`~trainables.diagnostics.moments.as_samples`.
        batch_size: images per pass.

    Raises:
        ValueError: if a radius is not in [0, 1].
    """
    refuse_impossible(epsilons)
    clean = feature_moments(network, split.images, (layer,), pool=pool, batch_size=batch_size)
    rows = []
    for epsilon in epsilons:
        images = attacked_at(
            epsilon, network, split, threat=threat, attack=attack, seed=seed, batch_size=batch_size
        )
        moved = feature_moments(network, images, (layer,), pool=pool, batch_size=batch_size)
        accuracy = accuracy_under(network, split, images, batch_size)
        rows.append(EpsilonRow(epsilon, accuracy, gaps_between(clean[layer], moved[layer])))
    return rows


def attacked_at(
    epsilon: float,
    network: Network,
    split: Split,
    *,
    threat: ThreatModel,
    attack: AttackConfig,
    seed: int,
    batch_size: int = 512,
) -> Tensor:
    """The split's images after margin PGD of radius ``epsilon``; at 0 they are the images."""
    if not epsilon:
        return split.images
    radius = ThreatModel(norm=threat.norm, epsilon=epsilon)
    return adversarial_images(
        network, split, margin_objective, radius, attack, seed=seed, batch_size=batch_size
    )


def refuse_impossible(epsilons: Sequence[float]) -> None:
    """See that there are radii and that all are in [0, 1].

    Raises:
        ValueError: otherwise.
    """
    if not epsilons:
        raise ValueError("epsilons must name at least one radius in [0, 1], got none")
    for epsilon in epsilons:
        if not 0 <= epsilon <= 1:
            raise ValueError(
                f"every epsilon must be in [0, 1], as images are, got {epsilon}; "
                "8 grey levels are 8/255 = 0.0314"
            )


def feature_variance(network: Network, images: Tensor, batch_size: int = 512) -> float:
    """Total variance of the pooled last features: the trace of their covariance.

    Args:
        network: run in eval mode.
        images: ``(count, channels, height, width)`` in [0, 1].
        batch_size: images per pass.

    Returns:
        Sum over channels of the (biased) variance, in squared feature units.
    """
    return feature_moments(network, images, batch_size=batch_size)[-1].variances.sum().item()


def variance_gap(
    network: Network, clean: Tensor, adversarial: Tensor, batch_size: int = 512
) -> float:
    """Variance of adversarial features minus that of clean ones, relative to the latter.

    Dong et al., ECCV 2024. The paper's quantity is the plain difference; dividing by the clean
    variance makes architectures comparable.
    """
    gaps = feature_gaps(network, clean, adversarial, batch_size=batch_size)
    return gaps[-1].relative_variance


def relative(value: float, reference: float) -> float:
    """``value / reference``; a reference of 0 counts as 1e-12, so that 0 / 0 is 0."""
    return value / max(reference, 1e-12)


def _norm(matrix: Tensor) -> float:
    norm: Tensor = torch.linalg.matrix_norm(matrix)
    return norm.item()
