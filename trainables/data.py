"""Data sets, their splits, and batches that live on the device."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Self

import torch
from pydantic import Field, field_validator, model_validator
from sklearn.datasets import load_digits
from torch import Tensor
from torch.nn import functional as F

from trainables import glyphs
from trainables.frozen import Frozen
from trainables.spelling import unknown
from trainables.splits import Data as Data
from trainables.splits import Split as Split
from trainables.splits import from_grey_levels, hold_out

FEWEST_IMAGES_PER_CLASS = 20
"""With fewer, a split may lack a class."""


class DataConfig(Frozen):
    """Which images, and how they are split."""

    name: str = Field("digits", description="data set; see trainables.data.DATASETS")
    classes: int = Field(
        10,
        ge=2,
        description="number of classes. digits: 2 to 10, the first so many digits. glyphs: 2 to "
        "10, the outlines, whatever mark is inside; 11 to 100, pairs of outline and mark",
    )
    images: int | None = Field(
        None,
        description="number of images in all three splits together, the first so many of the data "
        "set, split in the same proportions; at least 20 per class; default: all",
    )
    root: Path = Field(
        Path("~/.cache/robust-distillation"),
        description="folder for what is downloaded or drawn; unused by 'digits'",
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

    @model_validator(mode="after")
    def _there_is_so_much(self) -> Self:
        dataset, classes = DATASETS[self.name], self.classes
        if classes > dataset.max_classes:
            raise ValueError(
                f"classes of data set {self.name!r} must be from 2 to {dataset.max_classes}, "
                f"got {classes}"
            )
        fewest = FEWEST_IMAGES_PER_CLASS * classes
        if self.images is not None and not fewest <= self.images <= dataset.num_images(classes):
            raise ValueError(
                f"images of data set {self.name!r} with {classes} classes must be from {fewest} "
                f"to {dataset.num_images(classes)}, got {self.images}"
            )
        return self

    @property
    def num_images(self) -> int:
        """Images in all three splits together."""
        return self.images or DATASETS[self.name].num_images(self.classes)


def _digits(config: DataConfig) -> Data:
    """scikit-learn's 1,797 digits of 8x8 pixels: 1,200 train, 297 validation, 300 test."""
    digits, count = load_digits(n_class=config.classes), config.num_images
    levels, labels = digits.images[:count, None], digits.target[:count]
    rest, test = hold_out(labels, round(count * 300 / 1797), seed=config.split_seed)
    train, validation = hold_out(labels[rest], round(count * 297 / 1797), seed=config.split_seed)
    return Data(
        train=from_grey_levels(levels[rest[train]], labels[rest[train]], highest=16),
        validation=from_grey_levels(levels[rest[validation]], labels[rest[validation]], highest=16),
        test=from_grey_levels(levels[test], labels[test], highest=16),
        num_classes=config.classes,
    )


def _glyphs(config: DataConfig) -> Data:
    """Shapes drawn at 32x32 pixels in colour: 45,000 train, 5,000 validation, 10,000 test."""
    num_test, classes, root = config.num_images // 6, config.classes, config.root
    num_rest = config.num_images - num_test
    levels, labels = glyphs.stored(num_rest, classes, seed=0, root=root)
    train, validation = hold_out(labels, num_rest // 10, seed=config.split_seed)
    test_levels, test_labels = glyphs.stored(num_test, classes, seed=1, root=root)
    return Data(
        train=from_grey_levels(levels[train], labels[train], highest=255),
        validation=from_grey_levels(levels[validation], labels[validation], highest=255),
        test=from_grey_levels(test_levels, test_labels, highest=255),
        num_classes=classes,
    )


def _num_digits(classes: int) -> int:
    return len(load_digits(n_class=classes).target)


class DataSet(NamedTuple):
    """Where images come from, and how many there are."""

    load: Callable[[DataConfig], Data]
    max_classes: int
    num_images: Callable[[int], int]
    """By the number of classes, in all splits together."""


DATASETS: dict[str, DataSet] = {
    "digits": DataSet(_digits, 10, _num_digits),
    "glyphs": DataSet(_glyphs, glyphs.MAX_CLASSES, lambda _: 60_000),
}


def load_data(config: DataConfig, device: torch.device) -> Data:
    """Load and split a data set onto ``device``; cached for actors that serve many trials."""
    identity = DataConfig(
        name=config.name,
        classes=config.classes,
        images=config.images,
        root=config.root,
        split_seed=config.split_seed,
    )
    return _load(identity, device)


@lru_cache(maxsize=2)
def _load(config: DataConfig, device: torch.device) -> Data:
    data = DATASETS[config.name].load(config)
    train, validation, test = (
        split.to(device) for split in (data.train, data.validation, data.test)
    )
    return Data(train, validation, test, data.num_classes)


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
