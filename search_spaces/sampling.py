"""Drawing nested config overrides from a space, within what a study allows."""

from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FixedTrial, Trial

from search_spaces.space import SearchSpace

Ranges = Mapping[str, Sequence[Any]]


class RestrictedTrial:
    """An Optuna trial whose suggestions stay within ``ranges`` and skip what is ``fixed``.

    Args:
        trial: the trial that draws.
        ranges: ``[low, high]`` of numbers, or the choices left of a category, by parameter name.
        fixed: values by parameter name; Optuna never sees these parameters.
    """

    def __init__(self, trial: Trial | FixedTrial, ranges: Ranges, fixed: Mapping[str, Any]) -> None:
        self._trial, self._ranges, self._fixed = trial, ranges, fixed
        self.constants: dict[str, Any] = {}
        self.full_distributions: dict[str, BaseDistribution] = {}

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A number from the narrowed interval."""
        return float(self._suggest(name, FloatDistribution(low, high, log=log, step=step)))

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        """A whole number from the narrowed interval."""
        return int(self._suggest(name, IntDistribution(low, high, log=log, step=step)))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of the choices left."""
        return self._suggest(name, CategoricalDistribution(choices))

    def _suggest(self, name: str, distribution: BaseDistribution) -> Any:
        self.full_distributions[name] = distribution
        if name in self._fixed:
            self.constants[name] = check_fixed(name, self._fixed[name], distribution)
            return self.constants[name]
        return self._draw(name, narrow(name, distribution, self._ranges.get(name)))

    def _draw(self, name: str, distribution: BaseDistribution) -> Any:
        if isinstance(distribution, CategoricalDistribution):
            return self._trial.suggest_categorical(name, distribution.choices)
        if isinstance(distribution, IntDistribution):
            return self._trial.suggest_int(
                name,
                distribution.low,
                distribution.high,
                step=distribution.step,
                log=distribution.log,
            )
        assert isinstance(distribution, FloatDistribution)
        return self._trial.suggest_float(
            name, distribution.low, distribution.high, step=distribution.step, log=distribution.log
        )

    @property
    def params(self) -> dict[str, Any]:
        """What was suggested so far; without what is fixed."""
        return dict(self._trial.params)


def sample(
    space: SearchSpace,
    trial: Trial | FixedTrial,
    *,
    ranges: Ranges | None = None,
    fixed: Mapping[str, Any] | None = None,
    teachers: Sequence[str] = (),
) -> dict[str, Any]:
    """Draw a trial's overrides: suggested, fixed and constant values, nested along their paths.

    Args:
        space: where to draw from.
        trial: an open Optuna trial; what is suggested is recorded on it.
        ranges: see :class:`RestrictedTrial`.
        fixed: see :class:`RestrictedTrial`.
        teachers: candidate names; ``teacher`` is suggested among them if there are several.

    Raises:
        ValueError: if a range or a fixed value does not fit the space.
    """
    restricted = RestrictedTrial(trial, ranges or {}, fixed or {})
    constants = _draw(space, restricted, teachers)
    return unflatten({**_flatten(constants), **restricted.constants, **restricted.params})


def _draw(space: SearchSpace, trial: RestrictedTrial, teachers: Sequence[str]) -> dict[str, Any]:
    constants = space.suggest(trial)
    if len(teachers) > 1:
        trial.suggest_categorical("teacher", sorted(teachers))
    elif teachers:
        constants = {**constants, "teacher": teachers[0]}
    return constants


def explore(
    space: SearchSpace,
    *,
    ranges: Ranges | None = None,
    fixed: Mapping[str, Any] | None = None,
    teachers: Sequence[str] = (),
    draws: int = 64,
) -> dict[str, BaseDistribution]:
    """The parameters that random draws meet, with their whole (not narrowed) distributions.

    Raises:
        ValueError: if a range or a fixed value does not fit the space.
    """
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    met: dict[str, BaseDistribution] = {}
    for _ in range(draws):
        trial = RestrictedTrial(study.ask(), ranges or {}, fixed or {})
        _draw(space, trial, teachers)
        met |= trial.full_distributions
    return met


def narrow(
    name: str, distribution: BaseDistribution, allowed: Sequence[Any] | None
) -> BaseDistribution:
    """The part of a distribution that ``allowed`` leaves.

    Raises:
        ValueError: if it is no interval or no subset of the distribution.
    """
    if allowed is None:
        return distribution
    if isinstance(distribution, CategoricalDistribution):
        return _narrow_choices(name, distribution, allowed)
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    inside = f"within [{distribution.low:g}, {distribution.high:g}]"
    numbers = all(isinstance(value, int | float) for value in allowed)
    if len(allowed) != 2 or not numbers:
        raise ValueError(f"range of {name!r} must be [low, high] {inside}, got {list(allowed)}")
    low, high = allowed
    if low > high:
        raise ValueError(
            f"range of {name!r} must have low <= high, got low {low:g} > high {high:g}"
        )
    if low < distribution.low or high > distribution.high:
        raise ValueError(f"range of {name!r} must lie {inside}, got [{low:g}, {high:g}]")
    if isinstance(distribution, IntDistribution):
        return IntDistribution(int(low), int(high), log=distribution.log, step=distribution.step)
    return FloatDistribution(low, high, log=distribution.log, step=distribution.step)


def _narrow_choices(
    name: str, distribution: CategoricalDistribution, allowed: Sequence[Any]
) -> CategoricalDistribution:
    outside = [value for value in allowed if value not in distribution.choices]
    if outside:
        raise ValueError(
            f"range of {name!r} names {outside[0]!r}; allowed: "
            f"{', '.join(map(repr, distribution.choices))}"
        )
    return CategoricalDistribution([c for c in distribution.choices if c in allowed])


def holds(distribution: BaseDistribution, value: Any) -> bool:
    """Whether a distribution can draw the value."""
    try:
        return bool(distribution._contains(distribution.to_internal_repr(value)))
    except (ValueError, TypeError):
        return False


def describe(distribution: BaseDistribution) -> str:
    """What a distribution can draw, in words: ``[0.03, 3]``, or its choices."""
    if isinstance(distribution, CategoricalDistribution):
        return ", ".join(map(repr, distribution.choices))
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    return f"[{distribution.low:g}, {distribution.high:g}]"


def check_fixed(name: str, value: Any, distribution: BaseDistribution) -> Any:
    """Return ``value`` if the distribution holds it.

    Raises:
        ValueError: otherwise.
    """
    if not holds(distribution, value):
        raise ValueError(
            f"fixed {name!r} must be allowed by the space, got {value!r}; {distribution}"
        )
    return value


def unflatten(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nest values along the slashes of their paths; a deeper path wins over a switch above it."""
    nested: dict[str, Any] = {}
    for path in sorted(values):  # "a" comes before "a/b"
        *parents, leaf = path.split("/")
        place = nested
        for parent in parents:
            if not isinstance(place.get(parent), dict):
                place[parent] = {}
            place = place[parent]
        place[leaf] = values[path]
    return nested


def _flatten(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}/")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
