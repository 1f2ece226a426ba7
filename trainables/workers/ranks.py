"""One batch over several processes: who has which images, and what must be known of all of them.

Every process (rank) runs the same step on its own images. What is minimised is the mean over ranks
of what each rank computes, so a mean over a rank's images needs nothing more, and whatever couples
the images of a batch is made of :meth:`Ranks.total`, which is differentiable as often as is asked.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

T = TypeVar("T")

SEED_STRIDE = 1_000_003


@dataclass(frozen=True)
class Ranks:
    """Which of how many processes this one is; methods other than :meth:`own` are called by all.

    Attributes:
        rank: of this process, from 0.
        count: of processes; 1 leaves everything as it is.
    """

    rank: int = 0
    count: int = 1

    @classmethod
    def here(cls) -> Self:
        """As PyTorch's default process group says."""
        return cls(dist.get_rank(), dist.get_world_size())

    def own(self, size: int) -> slice:
        """This rank's rows of ``size``: ranks in order, as equal as can be."""
        return slice(self.rank * size // self.count, (self.rank + 1) * size // self.count)

    def seed(self, seed: int) -> int:
        """Of this rank's own randomness: what dropout drops of its images."""
        return seed + SEED_STRIDE * self.rank

    def total(self, values: Tensor) -> Tensor:
        """Sum over the ranks, of tensors of one shape; the same on all."""
        return values if self.count == 1 else _Total.apply(values)

    def mean(self, values: Tensor) -> Tensor:
        """Mean over the ranks, of tensors of one shape; the same on all."""
        return values if self.count == 1 else self.total(values) / self.count

    def gathered(self, values: Tensor) -> Tensor:
        """The rows ``(rows, ...)`` of all ranks, in order, of which each has as many."""
        if self.count == 1:
            return values
        size = self.count * len(values)
        whole = values.new_zeros((size, *values.shape[1:]))
        rows = torch.arange(size, device=values.device)[self.own(size)]
        return self.total(whole.index_copy(0, rows, values))

    @torch.no_grad()
    def largest(self, value: Tensor) -> Tensor:
        """The largest of the ranks' values, a constant."""
        return value if self.count == 1 else self.gathered(value[None]).amax(dim=0)

    def as_whole(self, change: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
        """What ``change`` makes of this rank's images of a batch.

        ``change`` sees as many images as the whole batch has, with zeros for those of other ranks,
        so that it draws the random numbers that one process would draw.

        Args:
            change: keeps the number and the order of images.
            images: ``(batch / count, channels, height, width)``.
        """
        if self.count == 1:
            return change(images)
        size = self.count * len(images)
        whole = images.new_zeros((size, *images.shape[1:]))
        whole[self.own(size)] = images
        return change(whole)[self.own(size)]

    @torch.no_grad()
    def average(self, gradients: Iterable[Tensor | None]) -> None:
        """Put the mean over the ranks in the place of each tensor; all in one message."""
        tensors = [gradient for gradient in gradients if gradient is not None]
        if self.count == 1 or not tensors:
            return
        mean = self.mean(torch.cat([tensor.flatten() for tensor in tensors]))
        parts = torch.split(mean, [tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view(tensor.shape))

    @torch.no_grad()
    def copy_first(self, *modules: nn.Module) -> None:
        """Give every module the weights and buffers that it has on rank 0."""
        tensors = [tensor for module in modules for tensor in module.state_dict().values()]
        for tensor in tensors if self.count > 1 else ():
            values = tensor.clone(memory_format=torch.contiguous_format)
            dist.broadcast(values, src=0)
            tensor.copy_(values)

    def agreed(self, thing: T) -> T:
        """What rank 0 has."""
        if self.count == 1:
            return thing
        things = [thing]
        dist.broadcast_object_list(things, src=0)
        return things[0]


ALONE = Ranks()
"""A single process."""


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(_: object, values: Tensor) -> Tensor:
        total = values.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_: object, gradient: Tensor) -> Tensor:
        # again a function that has a derivative, as the input gradient of a network must
        total: Tensor = _Total.apply(gradient)
        return total
