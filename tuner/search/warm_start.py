"""Learning from what was tried before: earlier studies, and configs that somebody wrote down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FixedTrial
from optuna.trial import TrialState as OptunaState

from search_spaces import explore, sample
from search_spaces.reading import read_params
from search_spaces.sampling import narrow
from trainables.config import TrialConfig
from tuner.analysis.replicates import merge_replicates
from tuner.differences import describe_differences
from tuner.records import TrialRecord, TrialState
from tuner.search.lessons import Lesson, ending
from tuner.search.proposals import resolve
from tuner.search.spaces import find_search_space
from tuner.storage.directory import StudyDirectory
from tuner.storage.ledger import read_records
from tuner.study import StudyConfig
from tuner.study_file import load_trial
from tuner.study_names import path_at

DECIDED = {"student", "teacher", "method", "alignments"}
"""Parts of a config that must be the study's own, whether or not the space names them."""

FREE = {"seed", "hardware", "diagnostics"}
"""Parts of the base that may differ from an earlier study's: its values still compare."""


@dataclass(frozen=True)
class Earlier:
    """What a study begins with.

    Attributes:
        lessons: ended trials of earlier studies, by ``(directory, number)``.
        first: parameters to try first.
    """

    lessons: Mapping[Any, Lesson] = field(default_factory=dict)
    first: tuple[Mapping[str, Any], ...] = ()


def load_earlier(study: StudyConfig) -> Earlier:
    """Read everything that ``warm_start`` names.

    Raises:
        ValueError: if something is neither a study nor a config, or does not fit this study.
    """
    lessons: dict[Any, Lesson] = {}
    first: list[Mapping[str, Any]] = []
    for name in study.warm_start:
        path = path_at(name)
        if path.is_dir():
            lessons |= _lessons(study, StudyDirectory(path))
        elif path.is_file():
            first.append(_params(study, path))
        else:
            raise ValueError(
                f"warm_start names {name!r}, which is neither a study's directory nor a YAML file"
            )
    return Earlier(lessons, tuple(first))


def _params(study: StudyConfig, path: Path) -> Mapping[str, Any]:
    config = load_trial(path)
    try:
        return _read(study, config)
    except ValueError as error:
        raise ValueError(f"warm_start {path} is outside the search space: {error}") from error


def _read(study: StudyConfig, config: TrialConfig) -> Mapping[str, Any]:
    """The parameters with which the study draws a config, but for what its base says.

    Raises:
        ValueError: if it cannot draw it: because of its space, its ranges, what is fixed, or its
            teachers.
    """
    space = find_search_space(study.search_space)
    if not config.needs_teacher:
        config = config.model_copy(update={"teacher": None})
    settings: dict[str, Any] = {
        "ranges": study.ranges,
        "fixed": study.fixed,
        "teachers": sorted(study.teachers),
    }
    teacher = _teacher_name(study, config)
    params = read_params(space, config.model_dump(mode="json"), teacher=teacher, **settings)
    overrides = sample(space, FixedTrial(params), **settings)
    drawn, _ = resolve(study, overrides)
    parts = DECIDED | overrides.keys()
    differences = describe_differences(
        config.model_dump(mode="json", include=parts), drawn.model_dump(mode="json", include=parts)
    )
    if differences:
        raise ValueError(f"as a trial of this study, {differences}")
    return params


def _teacher_name(study: StudyConfig, config: TrialConfig) -> str | None:
    names = [name for name, teacher in study.teachers.items() if teacher == config.teacher]
    return names[0] if names else None


def _lessons(study: StudyConfig, place: StudyDirectory) -> dict[Any, Lesson]:
    earlier = place.study()
    _require_comparable(study, earlier, place.path)
    now = searched(study)
    _require_narrower(now, searched(earlier), place.path)
    records = read_records(earlier, place.path)
    found: dict[Any, Lesson] = {}
    for record in _to_learn_from(records):
        params = _within(study, record)
        state, values, violation = ending(study, record)
        if params and state != OptunaState.FAIL:
            distributions = {name: now[name] for name in params}
            key = (str(place.path), record.number)
            found[key] = Lesson(state, params, distributions, {}, values, violation)
    if not found:
        raise ValueError(
            f"warm_start {place.path} has no ended trial within this study's space, so nothing "
            "can be learnt from it"
        )
    return found


def searched(study: StudyConfig) -> dict[str, BaseDistribution]:
    """The parameters that a study varies, as far as it lets them vary."""
    space = find_search_space(study.search_space)
    teachers = sorted(study.teachers)
    whole = explore(space, ranges=study.ranges, fixed=study.fixed, teachers=teachers)
    return {
        name: narrow(name, distribution, study.ranges.get(name))
        for name, distribution in whole.items()
        if name not in study.fixed
    }


def _require_comparable(study: StudyConfig, earlier: StudyConfig, path: Path) -> None:
    if study.objectives != earlier.objectives:
        raise ValueError(
            f"warm_start {path} has objectives "
            f"{', '.join(o.metric for o in earlier.objectives)}, but this study "
            f"{', '.join(o.metric for o in study.objectives)}"
        )
    shared = {name: t for name, t in study.teachers.items() if name in earlier.teachers}
    before = {"base": earlier.base, "teachers": {n: earlier.teachers[n] for n in shared}}
    now = {"base": study.base, "teachers": shared}
    differences = describe_differences(_plain(before), _plain(now))
    if differences:
        raise ValueError(
            f"warm_start {path} is of another task, its values do not compare: {differences}"
        )


def _plain(parts: Mapping[str, Any]) -> dict[str, Any]:
    base = parts["base"].model_dump(mode="json", exclude=FREE)
    return {
        "base": base,
        "teachers": {n: t.model_dump(mode="json") for n, t in parts["teachers"].items()},
    }


def _require_narrower(
    now: Mapping[str, BaseDistribution], before: Mapping[str, BaseDistribution], path: Path
) -> None:
    """See that every parameter was searched before, and at least as widely."""
    for name, distribution in now.items():
        if name not in before:
            raise ValueError(
                f"warm_start {path} did not search {name!r}, which this study does; "
                "a warm start needs the same space or a wider one"
            )
        if not _contains(before[name], distribution):
            raise ValueError(
                f"warm_start {path} searched {name!r} in {before[name]}, this study searches it "
                f"in {distribution}; a warm start needs the same space or a wider one"
            )


def _contains(outer: BaseDistribution, inner: BaseDistribution) -> bool:
    if type(outer) is not type(inner):
        return False
    if isinstance(outer, CategoricalDistribution) and isinstance(inner, CategoricalDistribution):
        return set(inner.choices) <= set(outer.choices)
    assert isinstance(outer, FloatDistribution | IntDistribution)
    assert isinstance(inner, FloatDistribution | IntDistribution)
    return outer.low <= inner.low and inner.high <= outer.high and outer.log == inner.log


def _to_learn_from(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Trials that a search drew and that have ended; replicates as one, with their means."""
    means = {record.number: record for record in merge_replicates(records)}
    return [
        means.get(record.number, record)
        for record in records
        if record.state != TrialState.running and record.params and record.repeats is None
    ]


def _within(study: StudyConfig, record: TrialRecord) -> Mapping[str, Any]:
    """An earlier trial's parameters in this space; empty if it lies outside."""
    try:
        return _read(study, TrialConfig.model_validate(record.config))
    except ValueError:
        return {}
