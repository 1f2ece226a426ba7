"""Optuna's samplers by name."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import (
    BaseSampler,
    GPSampler,
    NSGAIIISampler,
    NSGAIISampler,
    RandomSampler,
    TPESampler,
)

from tuner.study import SamplerConfig


def _tpe(config: SamplerConfig, seed: int) -> BaseSampler:
    return TPESampler(
        n_startup_trials=config.startup_trials, multivariate=True, group=True, seed=seed
    )


def _nsga2(config: SamplerConfig, seed: int) -> BaseSampler:
    return NSGAIISampler(population_size=config.population_size, seed=seed)


def _nsga3(config: SamplerConfig, seed: int) -> BaseSampler:
    return NSGAIIISampler(population_size=config.population_size, seed=seed)


class QuietGPSampler(GPSampler):
    """Optuna's, which divides 0 by 0 while no trial is feasible, copes, and lets numpy say so."""

    def sample_relative(self, *arguments: Any, **named: Any) -> dict[str, Any]:
        """As the original."""
        with np.errstate(invalid="ignore"):
            return super().sample_relative(*arguments, **named)


def _gp(config: SamplerConfig, seed: int) -> BaseSampler:
    return QuietGPSampler(n_startup_trials=config.startup_trials, seed=seed)


def _random(_: SamplerConfig, seed: int) -> BaseSampler:
    return RandomSampler(seed=seed)


SAMPLERS: dict[str, Callable[[SamplerConfig, int], BaseSampler]] = {
    "tpe": _tpe,
    "nsga2": _nsga2,
    "nsga3": _nsga3,
    "gp": _gp,
    "random": _random,
}


def create_sampler(config: SamplerConfig, num_trials: int) -> BaseSampler:
    """The sampler for the proposal after ``num_trials`` trials.

    Its seed depends on that number: a continued study must not redraw its first points.
    """
    seed = np.random.SeedSequence([config.seed, num_trials]).generate_state(1)[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return SAMPLERS[config.name](config, int(seed))
