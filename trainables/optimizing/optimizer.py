"""Optimisers and learning-rate schedules."""

import math
from typing import Literal

import torch
from pydantic import Field
from torch import nn

from trainables.frozen import Frozen


class OptimizerConfig(Frozen):
    """The optimiser and its learning-rate schedule; defaults as in RSLAD, ARD and KDIGA."""

    name: Literal["sgd", "adamw"] = Field(
        "sgd", description="SGD with Nesterov-free momentum, or AdamW"
    )
    learning_rate: float = Field(0.1, gt=0, description="peak learning rate")
    momentum: float = Field(0.9, ge=0, lt=1, description="of SGD")
    weight_decay: float = Field(
        2e-4, ge=0, description="applied to every parameter, as the papers' code does"
    )
    schedule: Literal["constant", "multistep", "cosine", "one_cycle"] = Field(
        "multistep",
        description="multistep: divide by 10 at 50 % and 75 % of all steps; cosine: to zero; "
        "one_cycle: linear up over warmup, then linear to zero",
    )
    warmup: float = Field(
        0.0, ge=0, lt=1, description="share of all steps with a linear rise from zero"
    )
    clip_norm: float | None = Field(
        None, gt=0, description="largest norm of the gradient of all parameters"
    )


def create_optimizer(
    parameters: list[nn.Parameter], config: OptimizerConfig
) -> torch.optim.Optimizer:
    """SGD with momentum, or AdamW."""
    if config.name == "adamw":
        return torch.optim.AdamW(
            parameters, lr=config.learning_rate, weight_decay=config.weight_decay
        )
    return torch.optim.SGD(
        parameters,
        lr=config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
    )


def learning_rate_factor(config: OptimizerConfig, progress: float) -> float:
    """Factor on the peak learning rate after ``progress`` in [0, 1] of all steps."""
    rise = min(1.0, progress / config.warmup) if config.warmup else 1.0
    if config.schedule == "multistep":
        return rise * 0.1 ** ((progress >= 0.5) + (progress >= 0.75))
    if config.schedule == "cosine":
        return rise * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    if config.schedule == "one_cycle" and progress > config.warmup:
        return (1 - min(1.0, progress)) / (1 - config.warmup)
    return rise
