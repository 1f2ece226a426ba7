"""What a trial of a study can be: its first trials, its baselines, and any draw of its space."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optuna.distributions import BaseDistribution
from pydantic import ValidationError

from search_spaces import SearchSpace, explore
from search_spaces.sampling import describe, holds, narrow
from trainables.checking import check_batch_shares
from trainables.config import TrialConfig, merge, override
from trainables.spelling import unknown
from trainables.workers.ranks import Ranks
from tuner.explain import explain
from tuner.search.spaces import find_search_space
from tuner.study import StudyConfig

ARCHITECTURE = "student/architecture"
"""The parameter of a space that chooses the student."""


@dataclass(frozen=True)
class Proposal:
    """A trial that is not yet in the ledger.

    Attributes:
        config: what to train.
        label: ``searched``, ``paper``, or the name of a baseline.
        teacher: name of its teacher; empty where the loss asks none.
        params: what Optuna suggested.
        distributions: from what.
        system_attrs: what the sampler noted on it.
        repeats: number of the trial that it trains again with another seed.
        retries: number of the trial, lost with its worker, that it makes good.
    """

    config: TrialConfig
    label: str
    teacher: str
    params: Mapping[str, Any] = field(default_factory=dict)
    distributions: Mapping[str, BaseDistribution] = field(default_factory=dict)
    system_attrs: Mapping[str, Any] = field(default_factory=dict)
    repeats: int | None = None
    retries: int | None = None


def first_trials(study: StudyConfig, space: SearchSpace) -> Sequence[Mapping[str, Any]]:
    """Parameters to try before anything else, within the study's ranges."""
    if study.first_trials is not None:
        return study.first_trials
    return [_clipped(params, study) for params in space.first_trials]


def _clipped(params: Mapping[str, Any], study: StudyConfig) -> dict[str, Any]:
    """The built-in first trial where the study allows it; Optuna draws the rest."""
    return {
        name: value
        for name, value in params.items()
        if name not in study.fixed and _allowed(value, study.ranges.get(name))
    }


def _allowed(value: Any, allowed: Sequence[Any] | None) -> bool:
    if allowed is None or value in allowed:
        return True
    numbers = [v for v in allowed if isinstance(v, int | float)]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and len(numbers) == 2 and numbers[0] <= value <= numbers[1]


def baseline_overrides(study: StudyConfig, space: SearchSpace) -> list[tuple[str, dict[str, Any]]]:
    """Every baseline for every student, with the study's first teacher."""
    parameters = explore(
        space, ranges=study.ranges, fixed=study.fixed, teachers=list(study.teachers)
    )
    students = students_of(study, parameters)
    teacher = {"teacher": sorted(study.teachers)[0]} if study.teachers else {}
    return [
        (label, merge({"student": {"architecture": student}, **teacher}, overrides))
        for student in students
        for label, overrides in study.baselines.items()
    ]


def students_of(study: StudyConfig, parameters: Mapping[str, BaseDistribution]) -> list[str]:
    """The architectures that a trial can have."""
    name = ARCHITECTURE
    if name in study.fixed or name not in parameters:
        return [str(study.fixed.get(name, study.base.student.architecture))]
    choices = getattr(parameters[name], "choices", ())
    return [str(c) for c in choices if c in study.ranges.get(name, choices)]


def resolve(study: StudyConfig, overrides: Mapping[str, Any]) -> tuple[TrialConfig, str]:
    """The whole config of a trial, and the name of its teacher.

    Raises:
        ValueError: if the overrides make no valid config or name an unknown teacher.
    """
    values = dict(overrides)
    name = values.pop("teacher", "")
    if name and name not in study.teachers:
        raise ValueError(unknown("teacher", name, study.teachers))
    teacher = study.teachers[name].model_dump(mode="json") if name else None
    merged = override(study.base, values)
    try:
        config = TrialConfig.model_validate({**merged, "teacher": teacher or merged.get("teacher")})
    except ValidationError as error:
        raise ValueError(f"trial {values}: {explain(error, TrialConfig)}") from error
    # a trial without needless teachers is the same trial, whichever pair was drawn for it
    needless: dict[str, None] = {}
    if not config.needs_teacher:
        needless["teacher"] = None
    if not config.method.needs_clean_teacher:
        needless["clean_teacher"] = None
    return config.model_copy(update=needless), name if config.needs_teacher else ""


def check_space(study: StudyConfig) -> None:
    """See that ranges, fixed values, first trials and baselines fit, before anything runs.

    Raises:
        ValueError: naming the first one that does not.
    """
    space = find_search_space(study.search_space)
    parameters = explore(
        space, ranges=study.ranges, fixed=study.fixed, teachers=list(study.teachers)
    )
    first = [("first_trials", params) for params in study.first_trials or []]
    for place, names in [("ranges", study.ranges), ("fixed", study.fixed), *first]:
        for name in names:
            if name not in parameters:
                raise ValueError(unknown(f"parameter in {place}", name, parameters))
    for _, params in first:
        for name, value in params.items():
            _check_first(name, value, study, parameters[name])
    for _, overrides in baseline_overrides(study, space):
        config, _ = resolve(study, overrides)
        check_batch_shares(config, Ranks(0, study.resources.workers))


def _check_first(name: str, value: Any, study: StudyConfig, whole: BaseDistribution) -> None:
    """See that a first trial's value can be drawn; Optuna would say so when it is its turn."""
    if name in study.fixed and value != study.fixed[name]:
        raise ValueError(
            f"first_trials gives {name!r} the value {value!r}, but fixed pins it to "
            f"{study.fixed[name]!r}"
        )
    allowed = narrow(name, whole, study.ranges.get(name))
    if name not in study.fixed and not holds(allowed, value):
        raise ValueError(
            f"first_trials gives {name!r} the value {value!r}, allowed is {describe(allowed)}"
        )
