"""A network radius by radius: robust accuracy, and what its features do."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from trainables.attacks import AttackConfig, margin_objective
from trainables.data import Split
from trainables.diagnostics.gaps import Gaps, gaps
from trainables.evaluation import accuracy_under, adversarial_images
from trainables.models import Network
from trainables.threat import ThreatModel


class EpsilonRow(NamedTuple):
    """A network under one radius: robust accuracy in [0, 1], and the gaps of its features."""

    epsilon: float
    robust_accuracy: float
    gaps: Gaps


def gaps_over_epsilon(  # noqa: PLR0917 - what is attacked, then with what
    network: Network,
    split: Split,
    threat: ThreatModel,
    attack: AttackConfig,
    epsilons: Sequence[float],
    *,
    seed: int,
    layer: int = -1,
    batch_size: int = 512,
) -> list[EpsilonRow]:
    """Robust accuracy and gaps under margin PGD, a row per radius.

    Args:
        network: run in eval mode.
        split: the images and labels measured on, at least two.
        threat: gives the norm; its radius is replaced.
        attack: steps and step size, the latter as a share of each radius.
        epsilons: radii in the units of images in [0, 1]; 0 gives the clean images.
        seed: of the attack's starts, the same at every radius.
        layer: feature map, counted from the end.
        batch_size: images per pass.

    Raises:
        ValueError: if a radius is not in [0, 1], or there are fewer than two images.
    """
    refuse_impossible(epsilons)
    rows = []
    for epsilon in epsilons:
        moved = attacked_at(
            epsilon, network, split, threat=threat, attack=attack, seed=seed, batch_size=batch_size
        )
        found = gaps(network, split.images, moved, layer=layer, batch_size=batch_size)
        rows.append(EpsilonRow(epsilon, accuracy_under(network, split, moved, batch_size), found))
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
