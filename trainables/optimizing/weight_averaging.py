"""Averages of a student's weights over training: EMA and SWA."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from trainables.frozen import Frozen
from trainables.models import Network


class ExponentialAverage(Frozen):
    """Exponential moving average of every step; BatchNorm's buffers are the live student's.

    Rebuffi et al., 2021, with the warm-up of their code: decay
    min(d, (1 + t) / (10 + t)) at step t.
    """

    name: Literal["ema"] = "ema"
    decay: float = Field(0.995, ge=0, lt=1, description="share of the past, per step")
    start: float = Field(
        0.025, ge=0, lt=1, description="share of all steps before averaging begins"
    )


class StochasticAverage(Frozen):
    """Stochastic weight averaging (Izmailov et al., 2018): equal mean of the ends of epochs.

    BatchNorm's statistics are measured anew on the training images. In robust distillation
    (SAAD's code) it begins at epoch 95 of 200.
    """

    name: Literal["swa"] = "swa"
    start: float = Field(
        0.475, ge=0, lt=1, description="share of the epochs before averaging begins"
    )


AveragingConfig = Annotated[ExponentialAverage | StochasticAverage, Field(discriminator="name")]


class WeightAverage:
    """The averaged student; validated, exported and measured in place of the live one.

    Args:
        config: kind and settings.
        student: the live network; not changed.
        num_steps: of the whole training.
        num_epochs: of the whole training.
    """

    def __init__(
        self,
        config: ExponentialAverage | StochasticAverage,
        student: Network,
        *,
        num_steps: int,
        num_epochs: int,
    ) -> None:
        self.config = config
        self._first_step = config.start * num_steps
        self._first_epoch = config.start * num_epochs
        self._steps = self._taken = 0
        # use_buffers False: the average takes over the buffers of the live student as they are
        self.averaged = AveragedModel(student, multi_avg_fn=self._average, use_buffers=False)
        self.averaged.requires_grad_(False)

    @property
    def network(self) -> Network:
        """The averaged network."""
        return cast(Network, self.averaged.module)

    def after_step(self, student: nn.Module) -> None:
        """Take the weights after a step of the optimiser in (EMA)."""
        self._steps += 1
        if isinstance(self.config, ExponentialAverage):
            self._take(student, begun=self._steps > self._first_step)

    def after_epoch(self, student: nn.Module, epoch: int) -> None:
        """Take the weights after epoch ``epoch``, counted from 1, in (SWA)."""
        if isinstance(self.config, StochasticAverage):
            self._take(student, begun=epoch > self._first_epoch)

    def _take(self, student: nn.Module, *, begun: bool) -> None:
        if self._taken == 0:
            self.averaged.n_averaged.zero_()  # until then the average is the student itself
        self.averaged.update_parameters(student)
        self._taken += begun

    @property
    def begun(self) -> bool:
        """Whether the average may differ from the live student."""
        return self._taken > 1

    @torch.no_grad()
    def _average(self, averaged: Sequence[Tensor], live: Sequence[Tensor], _: Tensor | int) -> None:
        count = self._taken  # not num_averaged, which may lie on the device
        share = 1 / (count + 1)
        if isinstance(self.config, ExponentialAverage):
            share = 1 - min(self.config.decay, (1 + count) / (10 + count))
        torch._foreach_lerp_(list(averaged), list(live), share)

    def state_dict(self) -> dict[str, Any]:
        """Everything that averaging on needs."""
        return {"steps": self._steps, "taken": self._taken, "averaged": self.averaged.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state."""
        self._steps, self._taken = state["steps"], state["taken"]
        self.averaged.load_state_dict(state["averaged"])
