"""What the sampler is taught about a trial: the truth about every end, and nothing else.

| end of the trial | lesson |
| --- | --- |
| complete | its objectives; how far it is from holding the study's constraints |
| stopped at a rung | pruned: it had parameters, and was among the worse |
| diverged, out of memory, raised | infeasible: avoid this region |
| worker died, cancelled | none: it says nothing about its parameters |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.trial import TrialState as OptunaState

from tuner.records import Cause, TrialRecord, TrialState
from tuner.study import StudyConfig

TEACHES_NOTHING = {Cause.worker_died, Cause.cancelled}


@dataclass(frozen=True)
class Lesson:
    """A trial as a sampler sees it.

    Attributes:
        state: of Optuna; ``FAIL`` is what samplers ignore.
        params: what was suggested.
        distributions: from what.
        system_attrs: what the sampler noted when it drew.
        values: objectives, if it is to be compared by them; None of an infeasible one, too.
        violation: above 0 for what should be avoided.
    """

    state: OptunaState
    params: Mapping[str, Any] = field(default_factory=dict)
    distributions: Mapping[str, BaseDistribution] = field(default_factory=dict)
    system_attrs: Mapping[str, Any] = field(default_factory=dict)
    values: tuple[float, ...] | None = None
    violation: float = 0.0


def ending(
    study: StudyConfig, record: TrialRecord
) -> tuple[OptunaState, tuple[float, ...] | None, float]:
    """State, values and violation that an ended trial teaches."""
    if record.state == TrialState.complete:
        values = tuple(record.values[objective.metric] for objective in study.objectives)
        return OptunaState.COMPLETE, values, study.violation(record.metrics)
    if record.state == TrialState.stopped:
        return OptunaState.PRUNED, None, 0.0
    if record.cause in TEACHES_NOTHING:
        return OptunaState.FAIL, None, 0.0
    return OptunaState.COMPLETE, None, 1.0


def worst(study: StudyConfig, known: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Values for a trial that has none: the worst seen of each objective; 0 before any."""
    columns = list(zip(*known, strict=True)) or [(0.0,)] * len(study.objectives)
    return tuple(
        min(column) if objective.direction == "maximize" else max(column)
        for objective, column in zip(study.objectives, columns, strict=True)
    )
