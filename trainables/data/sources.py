"""Where images come from before they are on a device: arrays, or files to decode."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
Images = NDArray[np.uint8]
"""``(count, channels, height, width)``, 0 is black."""


class Source(Protocol):
    """Labelled images that can be had one by one."""

    @property
    def labels(self) -> Indices:
        """Of every image."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """``(channels, height, width)``."""

    @property
    def highest(self) -> int:
        """The level that is white."""

    @property
    def decodes(self) -> bool:
        """Whether every image costs milliseconds of processor time."""

    def levels(self, rows: Indices) -> Images:
        """Images of these rows."""


@dataclass(frozen=True)
class Levels:
    """Images that lie in memory, or in a memory map."""

    images: Images
    labels: Indices
    highest: int = 255
    decodes: bool = False

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """``(channels, height, width)``."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    def levels(self, rows: Indices) -> Images:
        """Images of these rows."""
        return self.images[rows]


@dataclass(frozen=True)
class Part:
    """Some images of a source, in an order of their own."""

    source: Source
    rows: Indices

    @classmethod
    def whole(cls, source: Source) -> "Part":
        """All images of a source, in its order."""
        return cls(source, np.arange(len(source.labels)))

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def labels(self) -> Indices:
        """Of the part's images."""
        return self.source.labels[self.rows]

    @property
    def num_bytes(self) -> int:
        """Of the decoded images."""
        channels, height, width = self.source.image_shape
        return len(self) * channels * height * width

    def levels(self) -> Images:
        """All images of the part."""
        return self.source.levels(self.rows)

    def take(self, rows: Indices) -> "Part":
        """These rows of the part, as a part."""
        return Part(self.source, self.rows[rows])
