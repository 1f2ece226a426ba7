"""Data sets, their splits, and batches that live on the device."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from pydantic import Field, field_validator
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor
from torch.nn import functional as F

from trainables.frozen import Frozen
from trainables.spelling import unknown


class DataConfig(Frozen):
    """Which images, and how they are split."""

    name: str = Field("digits", description="data set; see trainables.data.DATASETS")
    root: Path = Field(
        Path("~/.cache/robust-distillation"), description="folder for downloads; unused by 'digits'"
    )
    split_seed: int = Field(
        0, ge=0, description="seed of the split by class; part of the data's identity"
    )
    batch_size: int = Field(
        100, ge=2, description="images per training step; the last partial batch is dropped"
    )
    crop_padding: int = Field(
        0,
        ge=0,
        description="pixels of zero padding before a random crop; 4 is the CIFAR convention",
    )
    flip: bool = Field(False, description="mirror half of the training images")

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in DATASETS:
            raise ValueError(unknown("data set", name, DATASETS))
        return name


@dataclass(frozen=True)
class Split:
    """Images ``(count, channels, height, width)`` in [0, 1] and labels ``(count,)``, int64."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

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


def _digits(config: DataConfig) -> Data:
    """scikit-learn's 1,797 digits of 8x8 pixels: 1,200 train, 297 validation, 300 test."""
    digits = load_digits()
    images = (digits.images / 16).astype(np.float32)[:, None]
    return _split_by_class(images, digits.target, validation=297, test=300, seed=config.split_seed)


DATASETS: dict[str, Callable[[DataConfig], Data]] = {"digits": _digits}


def load_data(config: DataConfig, device: torch.device) -> Data:
    """Load and split a data set onto ``device``; cached for actors that serve many trials."""
    identity = DataConfig(name=config.name, root=config.root, split_seed=config.split_seed)
    return _load(identity, device)


@lru_cache(maxsize=2)
def _load(config: DataConfig, device: torch.device) -> Data:
    data = DATASETS[config.name](config)
    train, validation, test = (
        split.to(device) for split in (data.train, data.validation, data.test)
    )
    return Data(train, validation, test, data.num_classes)


def _split_by_class(
    images: np.ndarray, labels: np.ndarray, *, validation: int, test: int, seed: int
) -> Data:
    """Split with the same share of every class in each part, reproducibly."""
    rest, test_part = train_test_split(
        np.arange(len(labels)), test_size=test, stratify=labels, random_state=seed
    )
    train_part, validation_part = train_test_split(
        rest, test_size=validation, stratify=labels[rest], random_state=seed
    )
    train, held_out, final = (
        Split(torch.from_numpy(images[part]), torch.from_numpy(labels[part]).long())
        for part in (train_part, validation_part, test_part)
    )
    return Data(train, held_out, final, num_classes=int(labels.max()) + 1)


def batches(
    split: Split, config: DataConfig, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch of shuffled, augmented batches; the last partial batch is dropped."""
    device = split.images.device
    order = torch.randperm(len(split), generator=generator, device=device)
    size = min(config.batch_size, len(split))
    for first in range(0, len(split) - size + 1, size):
        chosen = order[first : first + size]
        yield augment(split.images[chosen], config, generator), split.labels[chosen]


def num_batches(split: Split, config: DataConfig) -> int:
    """Steps per epoch."""
    return max(1, len(split) // config.batch_size)


def augment(images: Tensor, config: DataConfig, generator: torch.Generator) -> Tensor:
    """Random crop after zero padding, and mirroring, of ``(batch, channels, height, width)``."""
    if config.crop_padding:
        images = random_crop(images, config.crop_padding, generator)
    if config.flip:
        mirrored = torch.rand(len(images), generator=generator, device=images.device) < 0.5
        images = torch.where(mirrored.view(-1, 1, 1, 1), images.flip(3), images)
    return images


def random_crop(images: Tensor, padding: int, generator: torch.Generator) -> Tensor:
    """Crop each image at its own uniform offset after padding with zeros; the shape stays."""
    count, _, height, width = images.shape
    device = images.device
    padded = F.pad(images, [padding] * 4)
    offsets = torch.randint(0, 2 * padding + 1, (2, count, 1), generator=generator, device=device)
    rows = (offsets[0] + torch.arange(height, device=device)).view(count, 1, height, 1)
    columns = (offsets[1] + torch.arange(width, device=device)).view(count, 1, 1, width)
    sample = torch.arange(count, device=device).view(count, 1, 1, 1)
    channel = torch.arange(images.shape[1], device=device).view(1, -1, 1, 1)
    return padded[sample, channel, rows, columns]
