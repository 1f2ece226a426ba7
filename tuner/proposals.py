"""What to try next: a pure function of the study and of what was tried.

Proposals are drawn on a copy of the study in memory. A duplicate is dropped there and leaves no
trace, and a trial enters the ledger whole or not at all, whatever is killed in between.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, Trial, TrialState
from pydantic import ValidationError

from search_spaces import SearchSpace, explore, sample
from trainables.config import TrialConfig, merge, override
from trainables.spelling import unknown
from tuner.explain import explain
from tuner.samplers import create_sampler
from tuner.spaces import find_search_space
from tuner.study import StudyConfig

optuna.logging.set_verbosity(optuna.logging.ERROR)  # it announces every study in memory

MAX_REDRAWS = 20
"""Draws after which a duplicate is accepted: a small discrete space may simply be used up."""


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
    """

    config: TrialConfig
    label: str
    teacher: str
    params: Mapping[str, Any] = field(default_factory=dict)
    distributions: Mapping[str, BaseDistribution] = field(default_factory=dict)
    system_attrs: Mapping[str, Any] = field(default_factory=dict)

    def as_running(self) -> FrozenTrial:
        """The trial as it enters a study: begun, with its whole config."""
        return optuna.trial.create_trial(
            state=TrialState.RUNNING,
            params=dict(self.params),
            distributions=dict(self.distributions),
            user_attrs={
                "config": self.config.model_dump(mode="json"),
                "label": self.label,
                "teacher": self.teacher,
            },
            system_attrs=dict(self.system_attrs),
        )


def propose(study: StudyConfig, trials: Sequence[FrozenTrial]) -> Proposal:
    """The next trial: the paper's setting first, then the baselines, then what the sampler draws.

    Raises:
        ValueError: if a first trial, a baseline, a range or a fixed value does not fit.
    """
    space = find_search_space(study.search_space)
    number = len(trials)
    first = first_trials(study, space)
    if number < len(first):
        return _draw(study, space, trials, dict(first[number]))
    baselines = baseline_overrides(study, space)
    if number < len(first) + len(baselines):
        label, overrides = baselines[number - len(first)]
        config, teacher = resolve(study, overrides)
        return Proposal(config, label, teacher)
    return _draw(study, space, trials, None)


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
    students = _students(study, parameters)
    teacher = {"teacher": sorted(study.teachers)[0]} if study.teachers else {}
    return [
        (label, merge({"student": {"architecture": student}, **teacher}, overrides))
        for student in students
        for label, overrides in study.baselines.items()
    ]


def _students(study: StudyConfig, parameters: Mapping[str, BaseDistribution]) -> list[str]:
    name = "student/architecture"
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
    for _, overrides in baseline_overrides(study, space):
        resolve(study, overrides)
    propose(study, [])


def _draw(
    study: StudyConfig,
    space: SearchSpace,
    trials: Sequence[FrozenTrial],
    fixed_first: dict[str, Any] | None,
) -> Proposal:
    copy = _copy_in_memory(study, trials)
    if fixed_first:
        copy.enqueue_trial(fixed_first)
    seen = [trial.user_attrs["config"] for trial in trials if trial.state != TrialState.FAIL]
    for _ in range(MAX_REDRAWS):
        trial = copy.ask()
        config, teacher = _sampled(study, space, trial)
        if fixed_first or config.model_dump(mode="json") not in seen:
            break
        copy.tell(trial, state=TrialState.FAIL)
    frozen = copy.trials[trial.number]
    label = "searched" if fixed_first is None else _first_label(study)
    return Proposal(
        config, label, teacher, frozen.params, frozen.distributions, frozen.system_attrs
    )


def _sampled(study: StudyConfig, space: SearchSpace, trial: Trial) -> tuple[TrialConfig, str]:
    teachers = sorted(study.teachers)
    settings = {"ranges": study.ranges, "fixed": study.fixed}
    return resolve(study, sample(space, trial, teachers=teachers, **settings))


def _first_label(study: StudyConfig) -> str:
    return "paper" if study.first_trials is None else "searched"


def _copy_in_memory(study: StudyConfig, trials: Sequence[FrozenTrial]) -> optuna.Study:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        copy = optuna.create_study(
            directions=[objective.direction for objective in study.objectives],
            sampler=create_sampler(study.sampler, len(trials)),
        )
    copy.add_trials(trials)
    return copy
