"""Images and labels, in three parts that share nothing."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

MOST_VALUES = 2**28
"""Grey levels of training images from which mean and standard deviation are taken: 1 GB."""


class Rows(NamedTuple):
    """Which images make one training step."""

    images: Tensor
    extra: Tensor | None = None


class TrainingSet(Protocol):
    """What training asks of its images, wherever they are kept."""

    @property
    def labels(self) -> Tensor:
        """``(count,)``, int64, without those of extra images."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """``(channels, height, width)``."""

    @property
    def num_extra(self) -> int:
        """Images that may be mixed into batches and count for nothing else."""

    def __len__(self) -> int: ...

    def first(self, count: int) -> Tensor:
        """The first so many images (the splits are in random order), in [0, 1]."""

    def epoch(self, steps: Iterable[Rows]) -> Iterator[tuple[Tensor, Tensor]]:
        """Images in [0, 1] and labels of every step, on the device; extra images come last."""


@dataclass(frozen=True)
class Split:
    """Images and labels ``(count,)``, int64, on one device.

    Attributes:
        pixels: ``(count, channels, height, width)``: uint8 levels, or floats in [0, 1].
        labels: of the images.
        highest: the level that is 1.
    """

    pixels: Tensor
    labels: Tensor
    highest: int = 255

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: slice | Tensor) -> "Split":
        """Some of the images; a slice shares their memory."""
        return Split(self.pixels[rows], self.labels[rows], self.highest)

    @property
    def images(self) -> Tensor:
        """All images in [0, 1]; made anew from levels, so ask for the rows that you need."""
        return from_levels(self.pixels, self.highest)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """``(channels, height, width)``."""
        channels, height, width = self.pixels.shape[1:]
        return channels, height, width

    @property
    def num_extra(self) -> int:
        """None."""
        return 0

    @property
    def device(self) -> torch.device:
        """Where the images are."""
        return self.pixels.device

    def first(self, count: int) -> Tensor:
        """The first so many images, in [0, 1]."""
        return self[:count].images

    def epoch(self, steps: Iterable[Rows]) -> Iterator[tuple[Tensor, Tensor]]:
        """Images in [0, 1] and labels of every step."""
        for rows in steps:
            chosen = self[rows.images]
            yield chosen.images, chosen.labels

    def chunks(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Images in [0, 1] and labels, so many at a time, in order."""
        for first in range(0, len(self), size):
            chunk = self[first : first + size]
            yield chunk.images, chunk.labels

    def to(self, device: torch.device) -> "Split":
        """The same split on a device."""
        return Split(self.pixels.to(device), self.labels.to(device), self.highest)


@dataclass(frozen=True)
class Data:
    """Three disjoint splits.

    Training and search see the first two; the test split is opened by verify and evaluate, and
    nothing of it is read before.
    """

    train: TrainingSet
    validation: Split
    open_test: Callable[[], Split]
    num_classes: int

    @cached_property
    def test(self) -> Split:
        """The test split, read at the first call."""
        return self.open_test()

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """``(channels, height, width)``."""
        return self.train.image_shape

    @cached_property
    def mean(self) -> list[float]:
        """Mean of the training images per channel; of large sets, of the first ones."""
        return self._some().mean(dim=(0, 2, 3)).tolist()

    @cached_property
    def std(self) -> list[float]:
        """Standard deviation per channel of the images that ``mean`` is of."""
        return self._some().std(dim=(0, 2, 3)).tolist()

    def _some(self) -> Tensor:
        channels, height, width = self.image_shape
        return self.train.first(max(1, MOST_VALUES // (channels * height * width)))


def hold_out(
    labels: NDArray[np.int64], count: int, *, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which images stay and which ``count`` are held out, with the same share of every class."""
    from sklearn.model_selection import train_test_split  # heavy: not to look at a study

    rest, held_out = train_test_split(
        np.arange(len(labels)), test_size=count, stratify=labels, random_state=seed
    )
    return rest, held_out


def from_levels(pixels: Tensor, highest: int) -> Tensor:
    """Float32 in [0, 1] of whole numbers, 0 is black and ``highest`` 1; floats stay as they are.

    Rounded once: a tensor divides, as CUDA multiplies by the rounded reciprocal of a number.
    """
    if pixels.is_floating_point():
        return pixels
    white = torch.full((), highest, dtype=torch.float32, device=pixels.device)
    return pixels.to(torch.float32).div_(white)
