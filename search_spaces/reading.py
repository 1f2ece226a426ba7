"""Finding the parameters that a config would have been drawn with."""

from collections.abc import Mapping, Sequence
from typing import Any

from optuna.trial import FixedTrial

from search_spaces.sampling import Ranges, holds, sample
from search_spaces.space import SearchSpace


def read_params(
    space: SearchSpace,
    config: Mapping[str, Any],
    *,
    ranges: Ranges | None = None,
    fixed: Mapping[str, Any] | None = None,
    teacher: str | None = None,
    teachers: Sequence[str] = (),
) -> dict[str, Any]:
    """The parameters of ``space`` that describe a config.

    Args:
        space: where it is to be found.
        config: a whole trial config, nested.
        ranges: see ``sample``.
        fixed: see ``sample``.
        teacher: which of ``teachers`` it learns from, if any.
        teachers: see ``sample``.

    Raises:
        ValueError: if the space has no such config.
    """
    # a config that needs no teacher is the same with any
    name = teacher or next(iter(sorted(teachers)), None)
    trial = _Reader({} if name is None else {"teacher": name}, config)
    sample(space, trial, ranges=ranges, fixed=fixed, teachers=teachers)
    return dict(trial.params)


class _Reader(FixedTrial):
    """A trial whose suggestions are what a config says at their paths."""

    def __init__(self, params: dict[str, Any], config: Mapping[str, Any]) -> None:
        super().__init__(params)
        self._config = config

    def _suggest(self, name: str, distribution: Any) -> Any:
        if name not in self._params:
            self._params[name] = _value(self._config, name)
        value = self._params[name]
        if not holds(distribution, value):
            raise ValueError(f"{name} is {value!r}, allowed is {distribution}")
        return super()._suggest(name, distribution)


def _value(config: Mapping[str, Any], path: str) -> Any:
    """What stands at a path; a part of a config that stands for its switch is on or off."""
    value: Any = config
    for key in path.split("/"):
        if not isinstance(value, Mapping) or key not in value:
            raise ValueError(f"the config has no {path}")
        value = value[key]
    on = isinstance(value, Mapping) or value is None
    return value is not None if on else value
