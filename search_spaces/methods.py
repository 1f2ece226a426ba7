"""The method itself as a parameter, with the alignments that suit it, on 8x8 digits."""

from typing import Any

from search_spaces.alignment_weights import (
    suggest_covariance,
    suggest_gram,
    suggest_igdm,
    suggest_input_gradient,
)
from search_spaces.digits import STUDENTS
from search_spaces.space import SearchSpace, SpaceTrial

ATTACKING = ("adversarial_training", "trades", "ard", "iad1", "rslad", "adaad", "adaiad")
"""Methods that learn from adversarial images and from one teacher at most."""


def suggest(trial: SpaceTrial) -> dict[str, Any]:
    """A published method, mixed with what other papers align.

    Every method keeps its authors' conventions. Weights of covariance, Gram and input gradient are
    those of the space ``digits``; IGDM's are its authors' (0.5 to 100, Lee et al., 2025, App. B.2),
    whose losses are batch means. A trial costs what its method costs: ``adaad`` and ``adaiad`` run
    the teacher in every step of the attack.
    """
    trial.suggest_categorical("student/architecture", list(STUDENTS))
    trial.suggest_categorical("method/name", list(ATTACKING))
    suggest_covariance(trial, 0.03, 3.0)
    suggest_gram(trial, 0.03, 3.0)
    suggest_input_gradient(trial, 0.01, 1.0)
    suggest_igdm(trial, 0.5, 100.0)
    return {}


RSLAD = {
    "student/architecture": "small_wide_resnet10",
    "method/name": "rslad",
    "alignments/covariance": False,
    "alignments/gram": False,
    "alignments/input_gradient": False,
    "alignments/igdm": False,
}
"""RSLAD as published (Zi et al., 2021)."""

METHODS = SearchSpace(suggest, first_trials=(RSLAD,))
