"""Images and labels, in three parts that share nothing."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from torch import Tensor


@dataclass(frozen=True)
class Split:
    """Images ``(count, channels, height, width)`` in [0, 1] and labels ``(count,)``, int64."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int) -> "Split":
        """The first ``count`` images, or all of fewer."""
        return self if count >= len(self) else Split(self.images[:count], self.labels[:count])

    def to(self, device: torch.device) -> "Split":
        """The same split on a device."""
        return Split(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True)
class Data:
    """Three disjoint splits.

    Training and search see the first two; the test split is opened by verify and evaluate.
    """

    train: Split
    validation: Split
    test: Split
    num_classes: int

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """``(channels, height, width)``."""
        channels, height, width = self.train.images.shape[1:]
        return channels, height, width

    @property
    def mean(self) -> list[float]:
        """Mean of the training images per channel."""
        return self.train.images.mean(dim=(0, 2, 3)).tolist()

    @property
    def std(self) -> list[float]:
        """Standard deviation of the training images per channel."""
        return self.train.images.std(dim=(0, 2, 3)).tolist()


def hold_out(
    labels: NDArray[np.int64], count: int, *, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which images stay and which ``count`` are held out, with the same share of every class."""
    rest, held_out = train_test_split(
        np.arange(len(labels)), test_size=count, stratify=labels, random_state=seed
    )
    return rest, held_out


def from_grey_levels(
    images: NDArray[np.generic], labels: NDArray[np.int64], *, highest: int
) -> Split:
    """A split from whole numbers: 0 is black, ``highest`` is 1; rounded once, to float32."""
    levels = torch.from_numpy(images).to(torch.float32)
    return Split(levels.div_(highest), torch.from_numpy(labels).long())
