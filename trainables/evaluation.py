"""Clean and robust accuracy, each under the attack that its name says."""

from collections.abc import Callable

import torch
from torch import Tensor

from trainables.attacks import AttackConfig, Objective, attack_from, starting_point
from trainables.data import Split
from trainables.models import Network, module_mode
from trainables.threat import ThreatModel
from trainables.workers.ranks import ALONE, Ranks

ObjectiveFactory = Callable[[Network, Tensor], Objective]


def correct(network: Network, images: Tensor, labels: Tensor) -> Tensor:
    """Which images ``(batch,)`` are classified right; non-finite logits are wrong."""
    logits: Tensor = network(images).float()
    return (logits.argmax(dim=1) == labels) & logits.isfinite().all(dim=1)


@torch.no_grad()
def clean_accuracy(
    network: Network, split: Split, batch_size: int = 512, ranks: Ranks = ALONE
) -> float:
    """Share of images that are classified right, in [0, 1]; the network in eval mode.

    With several ranks ``split`` is this one's part, and the share that of all parts.
    """
    with module_mode(network, training=False):
        hits = [correct(network, *part).sum() for part in split.chunks(batch_size)]
    return _share(hits, split, ranks)


def _share(hits: list[Tensor], split: Split, ranks: Ranks) -> float:
    hit, count = torch.stack(hits).sum(), torch.full_like(hits[0], len(split))
    of_all = ranks.total(torch.stack([hit, count])).tolist()
    return float(of_all[0] / of_all[1])


def adversarial_images(  # noqa: PLR0917 - what is attacked, then with what
    network: Network,
    split: Split,
    objective: ObjectiveFactory,
    threat: ThreatModel,
    config: AttackConfig,
    *,
    seed: int,
    batch_size: int = 512,
    ranks: Ranks = ALONE,
) -> Tensor:
    """Every image of the split after the attack, in order; the network in eval mode, in float32.

    The starts are drawn for the whole split at once, so the result does not depend on
    ``batch_size`` (other than through the rounding of the network's sums). With several ranks only
    this one's part of the split is attacked, from the same starts.
    """
    generator = torch.Generator(split.device).manual_seed(seed)
    own = ranks.own(len(split))
    starts = starting_point(config.start, split.images, threat, generator)[own]
    with module_mode(network, training=False):
        attacked = [
            attack_from(start, objective(network, labels), images, threat=threat, config=config)
            for (images, labels), start in zip(
                split[own].chunks(batch_size), torch.split(starts, batch_size), strict=True
            )
        ]
    return torch.cat(attacked)


def robust_accuracy(  # noqa: PLR0917 - what is attacked, then with what
    network: Network,
    split: Split,
    objective: ObjectiveFactory,
    threat: ThreatModel,
    config: AttackConfig,
    *,
    seed: int,
    batch_size: int = 512,
) -> float:
    """Share of images that are right before and after the attack, in [0, 1]."""
    attacked = adversarial_images(
        network, split, objective, threat, config, seed=seed, batch_size=batch_size
    )
    return accuracy_under(network, split, attacked, batch_size)


@torch.no_grad()
def accuracy_under(
    network: Network,
    split: Split,
    attacked: Tensor,
    batch_size: int = 512,
    *,
    ranks: Ranks = ALONE,
) -> float:
    """Share of images that are right both as they are and in the attacked version given.

    With several ranks ``split`` is this one's part, and the share that of all parts.
    """
    with module_mode(network, training=False):
        both = [
            (correct(network, images, labels) & correct(network, moved, labels)).sum()
            for (images, labels), moved in zip(
                split.chunks(batch_size), torch.split(attacked, batch_size), strict=True
            )
        ]
    return _share(both, split, ranks)
