"""Robust overfitting: which epoch was best, and when to stop."""

import copy
from typing import Any

from pydantic import Field
from torch import nn

from trainables.frozen import Frozen


class EarlyStoppingConfig(Frozen):
    """Keep the epoch with the best validation robust accuracy (Rice et al., 2020)."""

    patience: int | None = Field(
        None,
        ge=1,
        description="epochs without a new best after which training ends; null: train to the end, "
        "then take the best",
    )


class BestEpoch:
    """The best validated epoch so far, and its weights if they are kept.

    Args:
        keep_weights: whether a copy of the best student is held.
    """

    def __init__(self, *, keep_weights: bool) -> None:
        self._keep_weights = keep_weights
        self.epoch = 0
        self.robust_accuracy = -1.0
        self.weights: dict[str, Any] = {}

    def see(self, epoch: int, robust_accuracy: float, student: nn.Module) -> None:
        """Take note of a validated epoch; the first of equals stays."""
        if robust_accuracy > self.robust_accuracy:
            self.epoch, self.robust_accuracy = epoch, robust_accuracy
            if self._keep_weights:
                self.weights = copy.deepcopy(student.state_dict())

    def waited(self, epoch: int, patience: int | None) -> bool:
        """Whether ``patience`` epochs have passed since the best one."""
        return patience is not None and epoch - self.epoch >= patience

    def state_dict(self) -> dict[str, Any]:
        """What going on needs."""
        return {
            "epoch": self.epoch,
            "robust_accuracy": self.robust_accuracy,
            "weights": self.weights,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state."""
        self.epoch, self.robust_accuracy = state["epoch"], state["robust_accuracy"]
        self.weights = state["weights"]
