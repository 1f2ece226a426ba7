"""One epoch of training, batch by batch."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from trainables.data.augmentation import augment
from trainables.data.sizes import check_batch_size
from trainables.splits import Rows, TrainingSet
from trainables.workers.ranks import ALONE, Ranks

if TYPE_CHECKING:
    from trainables.data.config import DataConfig


def batches(
    train: TrainingSet, config: "DataConfig", generator: torch.Generator, ranks: Ranks = ALONE
) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch of shuffled, augmented batches; the last partial batch is dropped.

    With extra images, every batch has the share of them that the config says, and the epoch as
    many batches as without. With several ranks, a batch is this rank's part of it: the images and
    the augmentation that one process would have in these places.

    Raises:
        ValueError: if a batch is larger than the training set, or an image cannot be read.
    """
    steps = (_own(rows, ranks) for rows in _steps(train, config, generator))
    for images, labels in train.epoch(steps):
        yield ranks.as_whole(lambda whole: augment(whole, config, generator), images), labels


def num_batches(train: TrainingSet, config: "DataConfig") -> int:
    """Steps per epoch.

    Raises:
        ValueError: if a batch is larger than the training set.
    """
    check_batch_size("data.batch_size", config.batch_size, len(train), config)
    return len(train) // config.batch_size


def _steps(train: TrainingSet, config: "DataConfig", generator: torch.Generator) -> Iterator[Rows]:
    """Rows of every step; the whole order is drawn at once, before anything else is."""
    count, num_extra = num_batches(train, config), 0
    if config.extra is not None:  # at least one of each kind
        wanted = round(config.extra.ratio * config.batch_size)
        num_extra = min(max(1, wanted), config.batch_size - 1)
    num_original = config.batch_size - num_extra
    order = _permutation(len(train), generator)
    originals = torch.split(order[: count * num_original], num_original)
    if not num_extra:
        return (Rows(rows) for rows in originals)
    extras = torch.split(_often(train.num_extra, count * num_extra, generator), num_extra)
    return (Rows(*rows) for rows in zip(originals, extras, strict=True))


def _own(rows: Rows, ranks: Ranks) -> Rows:
    """Of a batch of original images, then extra ones, the rows in this rank's places."""
    if rows.extra is None:
        return Rows(rows.images[ranks.own(len(rows.images))])
    num_original = len(rows.images)
    places = ranks.own(num_original + len(rows.extra))
    first, last = (max(0, place - num_original) for place in (places.start, places.stop))
    return Rows(rows.images[places], rows.extra[first:last])


def _permutation(count: int, generator: torch.Generator) -> Tensor:
    return torch.randperm(count, generator=generator, device=generator.device)


def _often(available: int, count: int, generator: torch.Generator) -> Tensor:
    """Rows of ``count`` draws: no image a second time before all have been drawn."""
    rounds = [_permutation(available, generator) for _ in range(-(-count // available))]
    return torch.cat(rounds)[:count]
