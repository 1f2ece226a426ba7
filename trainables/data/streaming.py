"""Images that stay where they are and come to the device batch by batch."""

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from trainables.data.sources import Indices, Part
from trainables.splits import Rows, Split, from_levels

CHUNK = 256
"""Images that are decoded together where no batch says how many."""

Step: TypeAlias = tuple[Indices, ...]
"""Rows of every part, as arrays: tensors would cost a file descriptor on their way to a worker."""

Pieces: TypeAlias = list[tuple[Tensor, Tensor]]


class _Reader(Dataset[Pieces | str]):
    """Levels and labels of one step, a pair per part; a sentence where they cannot be read."""

    def __init__(self, parts: tuple[Part, ...]) -> None:
        self.parts = parts

    def __getitem__(self, step: Step) -> Pieces | str:
        try:
            chosen = [part.take(rows) for part, rows in zip(self.parts, step, strict=True)]
            return [
                (torch.from_numpy(part.levels()), torch.from_numpy(part.labels)) for part in chosen
            ]
        except ValueError as error:  # an error that crosses a process would lose its first line
            return str(error)


def read(
    parts: tuple[Part, ...], steps: list[Step], *, workers: int, pin: bool = False
) -> Iterator[Pieces]:
    """Levels and labels of every step, read ahead by worker processes.

    Raises:
        ValueError: if an image cannot be read.
    """
    with warnings.catch_warnings():  # more workers than processors: the config asks for them
        warnings.filterwarnings("ignore", message="This DataLoader will create")
        loader = DataLoader(
            _Reader(parts),
            batch_size=None,  # a step is read by one worker, whole
            sampler=steps,  # what the dataset is asked for, in this order
            num_workers=min(workers, len(steps)),
            pin_memory=pin,
            generator=torch.Generator(),  # or it would draw from the networks' randomness
        )
        reading = iter(loader)
    for found in reading:
        if isinstance(found, str):
            raise ValueError(found)
        yield found


@dataclass(frozen=True)
class Streamed:
    """Training images that are read when a step needs them.

    Gives the same numbers as a split on the device.

    Attributes:
        part: the training images.
        device: where batches go.
        workers: processes that read ahead; 0 reads in this one.
        extra: images to be mixed in.
    """

    part: Part
    device: torch.device
    workers: int
    extra: Part | None = None

    def __len__(self) -> int:
        return len(self.part)

    @cached_property
    def labels(self) -> Tensor:
        """``(count,)``, int64, on the device."""
        return torch.from_numpy(self.part.labels).to(self.device)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """``(channels, height, width)``."""
        return self.part.source.image_shape

    @property
    def num_extra(self) -> int:
        """Images that may be mixed into batches."""
        return 0 if self.extra is None else len(self.extra)

    def first(self, count: int) -> Tensor:
        """The first so many images, in [0, 1]."""
        rows = np.arange(min(count, len(self)))
        return resident(self.part.take(rows), self.device, workers=self.workers).images

    def epoch(self, steps: Iterable[Rows]) -> Iterator[tuple[Tensor, Tensor]]:
        """Images in [0, 1] and labels of every step, on the device; extra images come last."""
        parts = (self.part,) if self.extra is None else (self.part, self.extra)
        asked: list[Step] = [
            tuple(rows.cpu().numpy() for rows in step if rows is not None) for step in steps
        ]
        pin = self.device.type == "cuda"
        for pieces in read(parts, asked, workers=self.workers, pin=pin):
            yield self._joined(parts, pieces)

    def _joined(self, parts: tuple[Part, ...], pieces: Pieces) -> tuple[Tensor, Tensor]:
        images = [
            from_levels(levels.to(self.device, non_blocking=True), part.source.highest)
            for part, (levels, _) in zip(parts, pieces, strict=True)
        ]
        labels = [labels.to(self.device, non_blocking=True) for _, labels in pieces]
        return torch.cat(images), torch.cat(labels)


def resident(part: Part, device: torch.device, *, workers: int) -> Split:
    """All images of a part, decoded, on a device as uint8."""
    levels = torch.empty((len(part), *part.source.image_shape), dtype=torch.uint8)
    for rows, some in in_chunks(part, workers=workers):
        levels[rows] = some
    labels = torch.from_numpy(part.labels)
    return Split(levels.to(device), labels.to(device), part.source.highest)


def in_chunks(part: Part, *, workers: int) -> Iterator[tuple[slice, Tensor]]:
    """All images of a part in order, some at a time, and which rows they are."""
    starts = range(0, len(part), CHUNK)
    steps: list[Step] = [(np.arange(start, min(start + CHUNK, len(part))),) for start in starts]
    workers = workers if part.source.decodes else 0
    for start, ((levels, _),) in zip(starts, read((part,), steps, workers=workers), strict=True):
        yield slice(start, start + len(levels)), levels
