"""BatchNorm over the images of all ranks."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from trainables.workers.ranks import Ranks


def synchronized_batch_norm(ranks: Ranks) -> AbstractContextManager[Any]:
    """Inside, BatchNorm in train mode takes its statistics from the images of all ranks."""
    return nullcontext() if ranks.count == 1 else SynchronizedBatchNorm(ranks)


class SynchronizedBatchNorm(TorchFunctionMode):
    """Takes the place of ``F.batch_norm``, so that every layer that calls it is reached.

    ``nn.SyncBatchNorm`` has no second derivative, which input-gradient alignment needs, does not
    run on a CPU, and would replace layers; here networks and checkpoints stay as they are.
    """

    def __init__(self, ranks: Ranks) -> None:
        super().__init__()
        self.ranks = ranks

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = dict(kwargs or {})
        if func is F.batch_norm and named.get("training"):  # F.batch_norm passes it by name
            return self._normalized(*args, **named)
        return func(*args, **named)

    def _normalized(  # noqa: PLR0917 - the signature of F.batch_norm
        self,
        values: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        *,
        training: bool,
        momentum: float,
        eps: float,
    ) -> Tensor:
        assert training
        x = values.to(torch.promote_types(values.dtype, torch.float32))
        mean, var = self._statistics(x)
        if running_mean is not None and running_var is not None:
            count = self.ranks.count * x.numel() / x.shape[1]
            for running, now in ((running_mean, mean), (running_var, var * count / (count - 1))):
                # .data: a pass in eval mode may still need the buffer, as with PyTorch's own layer
                running.data.lerp_(now.detach().to(running.dtype), momentum)
        shape = (1, -1, *[1] * (x.dim() - 2))
        scale = torch.rsqrt(var + eps) if weight is None else weight * torch.rsqrt(var + eps)
        y = (x - mean.view(shape)) * scale.view(shape)
        return (y if bias is None else y + bias.view(shape)).to(values.dtype)

    def _statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and biased variance ``(channels,)`` of ``(batch, channels, ...)``, one message.

        Of parts of equal size, so the variance is the mean of theirs plus that of their means.
        """
        var, mean = torch.var_mean(x, dim=[0, *range(2, x.dim())], correction=0)
        of_ranks = self.ranks.gathered(torch.stack([mean, var])[None])
        means, variances = of_ranks[:, 0], of_ranks[:, 1]
        return means.mean(dim=0), variances.mean(dim=0) + means.var(dim=0, correction=0)
