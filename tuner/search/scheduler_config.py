"""Who stops trials early, as the study file says it."""

import math
from typing import Annotated, Literal

from pydantic import Field, field_validator

from trainables.frozen import Frozen
from trainables.metrics import OBJECTIVES
from trainables.spelling import unknown


def known_metric(metric: str) -> str:
    """The metric itself.

    Raises:
        ValueError: if no trial reports it.
    """
    if metric not in OBJECTIVES:
        raise ValueError(unknown("metric", metric, OBJECTIVES))
    return metric


class FifoConfig(Frozen):
    """Every trial trains to its end."""

    name: Literal["fifo"] = "fifo"

    def first_rung(self, epochs: int) -> int:
        """None comes before the end."""
        return epochs


class _Rungs(Frozen):
    grace_period: int | None = Field(
        None,
        ge=1,
        description="epochs before anything is stopped, the first rung; "
        "default: epochs / reduction_factor, rounded up",
    )
    reduction_factor: float = Field(
        3, ge=2, description="one of so many goes on at a rung; rungs are that factor apart"
    )
    brackets: int = Field(
        1, ge=1, description="groups of trials; each begins to stop one rung later than the last"
    )

    def first_rung(self, epochs: int) -> int:
        """The first epoch at which trials are compared."""
        return self.grace_period or max(1, math.ceil(epochs / self.reduction_factor))

    def milestones(self, epochs: int) -> list[int]:
        """All rungs of the first bracket: epochs before the last one."""
        rungs = []
        rung = float(self.first_rung(epochs))
        while round(rung) < epochs:
            rungs.append(round(rung))
            rung *= self.reduction_factor
        return rungs


class ProxyConfig(Frozen):
    """A metric that stands for an objective at early rungs."""

    metric: str = Field("val/variance_gap", description="compared instead")
    direction: Literal["maximize", "minimize"] = "minimize"
    instead_of: str = Field("val/robust_accuracy", description="the objective it stands for")
    until: int = Field(ge=1, description="last epoch at which it does")

    _check = field_validator("metric")(known_metric)


class HalvingConfig(_Rungs):
    """Asynchronous successive halving by non-dominated rank over all objectives."""

    name: Literal["halving"] = "halving"
    tie_break: Literal["crowding", "epsilon_net"] = Field(
        "crowding", description="who goes on among trials of equal rank"
    )
    foresight: int | None = Field(
        None,
        ge=2,
        description="finished trials from which on trials are compared by what they are foreseen "
        "to end with, learnt from those; null: always by what they have",
    )
    proxy: ProxyConfig | None = Field(None, description="what to compare at early rungs")


class AshaConfig(_Rungs):
    """Ray's own asynchronous successive halving, on one metric."""

    name: Literal["asha"] = "asha"
    metric: str = Field(description="one metric of trainables.metrics.OBJECTIVES")
    direction: Literal["maximize", "minimize"] = "maximize"

    _check = field_validator("metric")(known_metric)


class MedianConfig(Frozen):
    """Ray's own median stopping rule, on one metric."""

    name: Literal["median"] = "median"
    metric: str = Field(description="one metric of trainables.metrics.OBJECTIVES")
    direction: Literal["maximize", "minimize"] = "maximize"
    grace_period: int = Field(1, ge=1, description="epochs before anything is stopped")
    min_trials: int = Field(3, ge=1, description="trials that a median needs")

    _check = field_validator("metric")(known_metric)

    def first_rung(self, _: int) -> int:
        """The first epoch at which trials are compared."""
        return self.grace_period


SchedulerConfig = Annotated[
    HalvingConfig | FifoConfig | AshaConfig | MedianConfig, Field(discriminator="name")
]
SCHEDULERS = ("halving", "fifo", "asha", "median")
