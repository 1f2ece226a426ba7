"""Clean and robust accuracy, each under the attack that its name says."""

from collections.abc import Callable

import torch
from torch import Tensor

from trainables.attacks import AttackConfig, Objective, attack
from trainables.data import Split
from trainables.models import Network, module_mode
from trainables.threat import ThreatModel

ObjectiveFactory = Callable[[Network, Tensor], Objective]


def correct(network: Network, images: Tensor, labels: Tensor) -> Tensor:
    """Which images ``(batch,)`` are classified right; non-finite logits are wrong."""
    logits = network(images).float()
    return (logits.argmax(dim=1) == labels) & logits.isfinite().all(dim=1)


@torch.no_grad()
def clean_accuracy(network: Network, split: Split, batch_size: int = 512) -> float:
    """Share of images that are classified right, in [0, 1]; the network in eval mode."""
    with module_mode(network, training=False):
        hits = [correct(network, *part).sum() for part in _chunks(split, batch_size)]
    return torch.stack(hits).sum().item() / len(split)


def adversarial_images(
    network: Network,
    split: Split,
    objective: ObjectiveFactory,
    threat: ThreatModel,
    config: AttackConfig,
    *,
    seed: int,
    batch_size: int = 512,
) -> Tensor:
    """Every image of the split after the attack, in order; the network in eval mode, in float32."""
    generator = torch.Generator(split.images.device).manual_seed(seed)
    with module_mode(network, training=False):
        attacked = [
            attack(objective(network, labels), images, threat, config, generator)
            for images, labels in _chunks(split, batch_size)
        ]
    return torch.cat(attacked)


def robust_accuracy(
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
def accuracy_under(network: Network, split: Split, attacked: Tensor, batch_size: int = 512) -> float:
    """Share of images that are right both as they are and in the attacked version given."""
    with module_mode(network, training=False):
        both = [
            (correct(network, images, labels) & correct(network, moved, labels)).sum()
            for (images, labels), moved in zip(
                _chunks(split, batch_size), attacked.split(batch_size), strict=True
            )
        ]
    return torch.stack(both).sum().item() / len(split)


def _chunks(split: Split, batch_size: int) -> list[tuple[Tensor, Tensor]]:
    return list(
        zip(split.images.split(batch_size), split.labels.split(batch_size), strict=True)
    )
