"""What MLflow says of a whole study, on the run that its trials are under. Pure functions."""

import itertools
import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from tuner.quantities import attack_name
from tuner.storage.directory import FREE_TO_CHANGE
from tuner.study import StudyConfig
from tuner.tracking.records import flat

NAMED = ("tuner.method", "tuner.student", "tuner.teacher", "tuner.hardware")
SUMMED = ("tuner.seconds", "tuner.gpu_seconds")
"""Tags of trials that the study's run has of all of them together."""


def params(study: StudyConfig) -> dict[str, str]:
    """The study by path: what may never change in it, as MLflow's params cannot change either."""
    content = study.model_dump(mode="json", exclude=set(FREE_TO_CHANGE), exclude_none=True)
    named = {key: value for key, value in flat(content) if value not in {"[]", "{}"}}
    return {_allowed(key): value for key, value in named.items()}


def _allowed(key: str) -> str:
    """A path as MLflow takes it: people name baselines and teachers as they like."""
    return re.sub(r"/+", "/", re.sub(r"[^\w\-. :/]", "_", key, flags=re.ASCII))


def tags(study: StudyConfig) -> dict[str, str]:
    """What people look for, and what may change from session to session."""
    base = study.base.model_dump(mode="json")
    objectives = [f"{each.direction} {each.metric}" for each in study.objectives]
    return {
        "tuner.data": study.base.data.name,
        "tuner.threat": f"{base['threat']['norm']}, epsilon {study.base.threat.epsilon:.6g}",
        "tuner.attack": attack_name(base),
        "tuner.objectives": ", ".join(objectives),
        "tuner.search_space": study.search_space,
        "tuner.sampler": study.sampler.name,
        "tuner.scheduler": study.scheduler.name,
        "tuner.trials": str(study.trials),
        "tuner.resources": json.dumps(study.resources.model_dump(mode="json")),
    }


def totals(trials: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """What all trials together are and cost, from the tags of their runs."""
    trials = list(trials)

    found = {key: [tags[key] for tags in trials if tags.get(key)] for key in (*NAMED, *SUMMED)}
    names = {key: "; ".join(sorted(set(found[key]))) for key in NAMED}
    sums = {key: f"{sum(map(float, found[key])):.1f}" for key in SUMMED if found[key]}
    return names | sums


def missing(wanted: Mapping[str, str], there: Mapping[str, Any]) -> dict[str, str]:
    """What is wanted and not there, or there with another value."""
    return {key: value for key, value in wanted.items() if there.get(key, "") != value}


def free_name(name: str, taken: Collection[str | None]) -> str:
    """The name; of a second study of the name, in another directory, ``digits (2)``."""
    numbered = (f"{name} ({number})" for number in itertools.count(2))
    return next(free for free in itertools.chain([name], numbered) if free not in taken)
