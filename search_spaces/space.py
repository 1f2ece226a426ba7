"""What a search space is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class SpaceTrial(Protocol):
    """The part of an Optuna trial that a space may use."""

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A number in [low, high]."""

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        """A whole number in [low, high]."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of the choices."""


@dataclass(frozen=True)
class SearchSpace:
    """A define-by-run space over config paths.

    Attributes:
        suggest: calls ``trial.suggest_…`` under names that are paths of a ``TrialConfig``
            (``alignments/gram/weight``; ``alignments/gram`` alone switches the term), and returns
            constants as nested overrides. A suggested value is never returned again.
        first_trials: parameters to try before anything else, the paper's setting first.
    """

    suggest: Callable[[SpaceTrial], dict[str, Any]]
    first_trials: tuple[Mapping[str, Any], ...] = ()
