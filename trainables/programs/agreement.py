"""Whether a program says what the network says that it was made from."""

from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.programs.packaging import Classify
from trainables.splits import Split

BATCH = 64


@dataclass(frozen=True)
class Answers:
    """What a classifier says of a split's images, as they are and attacked.

    Attributes:
        clean: logits ``(count, classes)`` of the images as they are.
        attacked: logits of the attacked images.
    """

    clean: Tensor
    attacked: Tensor

    @property
    def predictions(self) -> Tensor:
        """Classes ``(2, count)``; -1 where a logit is not finite."""
        logits = torch.stack([self.clean, self.attacked])
        return logits.argmax(dim=2).where(logits.isfinite().all(dim=2), -1)


@dataclass(frozen=True)
class Agreement:
    """A program beside the network that it was made from, on the same images.

    Attributes:
        images: how many images, each as it is and attacked.
        max_difference: largest absolute difference of a logit.
        differing: numbers of the images of which another class is predicted, either way.
        clean_correct: images that are classified right.
        robust_correct: images that are right as they are and attacked.
    """

    images: int
    max_difference: float
    differing: tuple[int, ...]
    clean_correct: int
    robust_correct: int

    @property
    def holds(self) -> bool:
        """Whether every prediction is the network's."""
        return not self.differing

    @property
    def clean_accuracy(self) -> float:
        """In [0, 1]."""
        return self.clean_correct / self.images

    @property
    def robust_accuracy(self) -> float:
        """In [0, 1], under the attack on the network."""
        return self.robust_correct / self.images


def answers(classify: Classify, images: Tensor, attacked: Tensor) -> Answers:
    """What a classifier says, in batches of at most 64 images.

    Args:
        classify: images to logits.
        images: ``(count, channels, height, width)``.
        attacked: the same after an attack.
    """
    clean, moved = (
        torch.cat([classify(part.contiguous()) for part in torch.split(values, BATCH)])
        for values in (images, attacked)
    )
    return Answers(clean.float(), moved.float())


def agreement(network: Answers, program: Answers, split: Split) -> Agreement:
    """Compare what a program says with what its network says."""
    gaps = [program.clean - network.clean, program.attacked - network.attacked]
    other = (program.predictions != network.predictions).any(dim=0)
    other |= (program.predictions < 0).any(dim=0)  # no finite answer agrees with nothing
    right = program.predictions == split.labels.cpu()
    return Agreement(
        images=len(split),
        max_difference=max(gap.abs().max().item() for gap in gaps),
        differing=tuple(other.nonzero().flatten().tolist()),
        clean_correct=int(right[0].sum()),
        robust_correct=int(right.all(dim=0).sum()),
    )
