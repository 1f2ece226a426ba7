"""Training images that all lie on the device."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.splits import Rows, Split


@dataclass(frozen=True)
class WithExtra:
    """A training split, and images that are mixed into its batches and count for nothing else."""

    original: Split
    extra: Split

    def __len__(self) -> int:
        return len(self.original)

    @property
    def labels(self) -> Tensor:
        """``(count,)``, int64, without those of extra images."""
        return self.original.labels

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """``(channels, height, width)``."""
        return self.original.image_shape

    @property
    def num_extra(self) -> int:
        """Images that may be mixed into batches."""
        return len(self.extra)

    def first(self, count: int) -> Tensor:
        """The first so many images of the training split, in [0, 1]."""
        return self.original.first(count)

    def epoch(self, steps: Iterable[Rows]) -> Iterator[tuple[Tensor, Tensor]]:
        """Images in [0, 1] and labels of every step; extra images come last."""
        for rows in steps:
            assert rows.extra is not None, "a config with extra images draws rows of them"
            chosen, extra = self.original[rows.images], self.extra[rows.extra]
            yield (
                torch.cat([chosen.images, extra.images]),
                torch.cat([chosen.labels, extra.labels]),
            )
