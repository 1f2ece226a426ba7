"""Which images hold against which attack, and what that makes in percent."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.attacks import pgd, starting_point
from trainables.data import Split
from trainables.evaluation import correct
from trainables.measuring.intervals import wilson
from trainables.measuring.named_attacks import NamedAttack
from trainables.measuring.undisturbed import undisturbed
from trainables.models import Network
from trainables.threat import ThreatModel


@dataclass(frozen=True)
class Accuracy:
    """A share of images; both counts are kept, so that nobody has to guess n."""

    correct: int
    total: int

    @classmethod
    def of(cls, flags: Tensor) -> "Accuracy":
        """From one flag per image."""
        return cls(int(flags.sum()), len(flags))

    @property
    def share(self) -> float:
        """In [0, 1]."""
        return self.correct / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson 95 % interval, in [0, 1]: of the choice of images, not of the seed."""
        return wilson(self.share, self.total)

    def __str__(self) -> str:
        return f"{100 * self.share:.1f} %"


@torch.no_grad()
def clean_flags(network: Network, split: Split, batch_size: int = 512) -> Tensor:
    """Flags ``(count,)``: classified right; logits that are not finite are wrong."""
    with undisturbed(network):
        return torch.cat([correct(network, *part) for part in split.chunks(batch_size)])


def robust_flags(
    network: Network,
    split: Split,
    threat: ThreatModel,
    attack: NamedAttack,
    *,
    seed: int,
    batch_size: int = 512,
) -> Tensor:
    """Flags ``(count,)``: right as they are and after every restart of the attack.

    Only images that still hold are attacked. The starts are drawn for the whole split, so the
    result does not depend on ``batch_size`` (other than through the rounding of sums). The network
    runs in eval mode and float32 and is left as it was.
    """
    flags = clean_flags(network, split, batch_size)
    generator = torch.Generator(split.device).manual_seed(seed)
    with undisturbed(network):
        for _ in range(attack.restarts):
            starts = starting_point(attack.start, split.images, threat, generator)
            for rows in torch.split(flags.nonzero().squeeze(1), batch_size):
                chosen = split[rows]
                images, labels = chosen.images, chosen.labels
                moved = pgd(
                    attack.objective(network, images, labels),
                    images,
                    threat,
                    step_size=attack.step_size(threat),
                    steps=attack.steps,
                    start=starts[rows],
                )
                with torch.no_grad():
                    flags[rows] = correct(network, moved, labels)
    return flags


def worst_case(flags: Iterable[Tensor]) -> Tensor:
    """Flags of the images that held against every attack.

    An adversary picks the attack by image, so this is at most the lowest of the accuracies, never
    their mean.
    """
    return torch.stack(list(flags)).all(dim=0)
