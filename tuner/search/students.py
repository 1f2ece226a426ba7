"""The students of a study: do they work on its images, and are they small enough?"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from search_spaces import explore
from trainables.checking import check_data
from trainables.config import TrialConfig
from trainables.data import Data, load_data
from trainables.machine.hardware import pick_device
from trainables.models import Cost, check_architecture, cost, latency_ms
from trainables.models.adaptation import fit
from tuner.quantities import count
from tuner.search.proposals import ARCHITECTURE, students_of
from tuner.search.spaces import find_search_space
from tuner.storage.ledger import Ledger
from tuner.study import StudyConfig

NOTE = "students"
"""Where the ledger keeps the choice."""


@dataclass(frozen=True)
class Students:
    """Which architectures a study's limits leave.

    Attributes:
        kept: the architectures left, in the space's order.
        removed: why the others are not, by architecture.
    """

    kept: tuple[str, ...]
    removed: Mapping[str, str] = field(default_factory=dict)


def choose_students(study: StudyConfig) -> Students:
    """The architectures of the search space that work on the data and hold the limits.

    Raises:
        ValueError: if the data cannot be had, an architecture does not work on images of that size
            or with the weights to begin with, or none holds the limits.
    """
    space = find_search_space(study.search_space)
    teachers = list(study.teachers)
    parameters = explore(space, ranges=study.ranges, fixed=study.fixed, teachers=teachers)
    names = students_of(study, parameters)
    _refuse_what_does_not_fit(study, names)
    excess = {name: _excess(study, name) for name in names}
    removed = {name: why for name, why in excess.items() if why}
    kept = tuple(name for name in names if name not in removed)
    if not kept:
        smallest = min(removed, key=lambda name: _cost(study.base, name))
        raise ValueError(
            f"no student of the search space holds the limits; the smallest is {smallest!r}: "
            f"it {removed[smallest]}"
        )
    return Students(kept, removed)


def remembered_students(study: StudyConfig, ledger: Ledger) -> Students:
    """What was chosen when the study began: another day's latencies do not change its space."""
    noted = ledger.noted(NOTE)
    if noted is None:
        chosen = choose_students(study)
        noted = ledger.remember(NOTE, json.dumps([chosen.kept, chosen.removed]))
    kept, removed = json.loads(noted)
    return Students(tuple(kept), removed)


def narrowed(study: StudyConfig, students: Students) -> StudyConfig:
    """The study with no other students than those left."""
    if not students.removed:
        return study
    return study.model_copy(update={"ranges": {**study.ranges, ARCHITECTURE: list(students.kept)}})


def describe_removed(students: Students) -> list[str]:
    """A line for every architecture that was removed."""
    return [f"without {name}: {why}" for name, why in students.removed.items()]


def _refuse_what_does_not_fit(study: StudyConfig, names: list[str]) -> None:
    base = study.base
    for teacher in study.teachers.values() or [base.teacher]:
        check_data(base.model_copy(update={"teacher": teacher}), torch.device("cpu"))
    shape = _data(base).image_shape
    for name in names:
        fit(check_architecture(name), shape)
    for teacher in filter(None, [*study.teachers.values(), study.base.clean_teacher]):
        for one in teacher.trained_here():
            fit(one.architecture, shape)


def _data(trial: TrialConfig) -> Data:
    return load_data(trial.data, torch.device("cpu"))


def _cost(trial: TrialConfig, architecture: str) -> Cost:
    data = _data(trial)
    return cost(architecture, data.image_shape, data.num_classes)


def _excess(study: StudyConfig, architecture: str) -> str:
    """Which limit the architecture exceeds, in words; nothing if it holds them all."""
    limits = study.limits
    counted = _cost(study.base, architecture) if limits.counts else None
    for what, most in limits.counts.items():
        has = getattr(counted, what)
        if has > most:
            words = what.replace("multiply_adds", "multiply-adds")
            return f"has {count(has)} {words}, and limits.max_{what} is {count(most)}"
    if limits.max_latency_ms is not None:
        data, hardware = _data(study.base), study.base.hardware
        took = latency_ms(
            architecture,
            data.image_shape,
            data.num_classes,
            device=pick_device(hardware.device),
            threads=hardware.threads,
        )
        if took > limits.max_latency_ms:
            return f"takes {took:.3g} ms, and limits.max_latency_ms is {limits.max_latency_ms:g}"
    return ""
