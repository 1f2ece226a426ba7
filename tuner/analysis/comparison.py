"""Fronts that may be laid over each other: same data, same attack, same objectives."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypedDict

import numpy as np

from tuner.analysis.bootstrap import Interval, Sample, over_images, over_trials
from tuner.analysis.results import Results
from tuner.differences import flatten
from tuner.quantities import is_accuracy, num_images
from tuner.records import TrialRecord
from tuner.search.front_geometry import Losses, hypervolume

Part = Literal["method", "student", "teacher"]

IMAGES = (
    "name",
    "classes",
    "images",
    "split_seed",
    "path",
    "resolution",
    "validation_images",
)
"""Settings of the data that say which images are measured."""

TIMES = 1000
TIMES_BEYOND_TWO = 200  # a hypervolume of three objectives takes milliseconds


@dataclass(frozen=True, eq=False)
class Contender:
    """A study, or a part of one, with its own front."""

    name: str
    results: Results


def whole_studies(studies: Sequence[tuple[str, Results]]) -> list[Contender]:
    """A contender per study."""
    return [Contender(name, results) for name, results in studies]


def parts(results: Results, by: Part) -> list[Contender]:
    """A contender per method, student or teacher of one study, baselines among them.

    Raises:
        ValueError: if the complete trials of the study have only one.
    """
    found: dict[str, list[TrialRecord]] = {}
    for record in results.records:
        found.setdefault(_part(record, by), []).append(record)
    groups = [Contender(n, Results(results.study, found[n])) for n in sorted(found)]
    complete = [contender for contender in groups if contender.results.complete]
    if len(complete) < 2:
        names = ", ".join(contender.name for contender in complete) or "none"
        raise ValueError(
            f"study {results.study.name!r} has complete trials of fewer than two {by}s "
            f"({names}), so there is nothing to compare"
        )
    return complete


def _part(record: TrialRecord, by: Part) -> str:
    if by == "method":
        return str(record.config["method"]["name"])
    return record.student if by == "student" else record.teacher or "no teacher"


@dataclass(frozen=True, eq=False)
class Row:
    """What is said of one contender.

    Attributes:
        contender: who.
        hypervolume: of its feasible trials, from the common reference.
        over_trials: see ``bootstrap.over_trials``.
        over_images: see ``bootstrap.over_images``; None where the number of images is unknown.
        on_front: numbers of its trials that nobody's trial beats.
    """

    contender: Contender
    hypervolume: float
    over_trials: Interval
    over_images: Interval | None
    on_front: tuple[int, ...]

    @property
    def hull(self) -> Interval:
        """From the lowest end of its intervals to the highest."""
        ends = [*self.over_trials, *(self.over_images or ())]
        return min(ends), max(ends)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Contenders that were measured in the same way.

    Raises:
        ValueError: naming in what they differ, if they were not; or who has no complete trial.
    """

    contenders: Sequence[Contender]
    seed: int = 0

    def __post_init__(self) -> None:
        for contender in self.contenders:
            if not contender.results.complete:
                raise ValueError(f"{contender.name} has no complete trial yet, so it has no front")
        _require_same([(c.name, measured_how(c.results)) for c in self.contenders])

    @cached_property
    def union(self) -> Results:
        """All complete trials as one study, numbered anew in the contenders' order."""
        records = [record for c in self.contenders for record in c.results.complete]
        return Results(
            self.contenders[0].results.study,
            [dataclasses.replace(r, number=i, repeats=None) for i, r in enumerate(records)],
        )

    @property
    def reference(self) -> Losses:
        """The corner that all hypervolumes are measured from, as losses ``(objectives,)``."""
        return self.union.reference

    @cached_property
    def rows(self) -> list[Row]:
        """One per contender, the largest hypervolume first."""
        rows = [self._row(index, contender) for index, contender in enumerate(self.contenders)]
        return sorted(rows, key=lambda row: -row.hypervolume)

    def _row(self, index: int, contender: Contender) -> Row:
        sample = sample_of(contender.results)
        first = sum(len(c.results.complete) for c in self.contenders[:index])
        best = [
            record.number
            for place, record in enumerate(contender.results.complete, start=first)
            if self.union.ranks[place] == 0
        ]
        times = TIMES if len(self.reference) <= 2 else TIMES_BEYOND_TWO
        drawn: Draws = {"reference": self.reference, "seed": self.seed, "times": times}
        return Row(
            contender,
            hypervolume(sample.losses, self.reference),
            over_trials(sample, **drawn),
            over_images(sample, **drawn) if sample.has_noise else None,
            tuple(best),
        )


class Draws(TypedDict):
    """How a bootstrap draws."""

    reference: Losses
    seed: int
    times: int


def sample_of(results: Results) -> Sample:
    """Feasible configs as numbers for the bootstrap."""
    records = results.feasible
    accuracies = [
        is_accuracy(o.metric) and o.direction == "maximize" for o in results.study.objectives
    ]
    images = np.array([num_images(record) or 0 for record in records], dtype=float)
    return Sample(results.losses(records), images, np.array(accuracies, dtype=float))


def measured_how(results: Results) -> dict[str, object]:
    """What two studies must share before their numbers compare, flat, by path.

    Raises:
        ValueError: if the study's own complete trials differ in it.
    """
    ways = [_way(record.config) for record in results.complete]
    _require_same([(f"trial {r.number}", w) for r, w in zip(results.complete, ways, strict=True)])
    objectives = {o.metric: o.direction for o in results.study.objectives}
    bounds = "; ".join(map(str, results.study.constraints))
    return {**ways[0], "objectives": str(objectives), "constraints": bounds or "none"}


def _way(config: Mapping[str, Any]) -> dict[str, object]:
    data = {key: config["data"].get(key) for key in IMAGES}
    attack = config["validation"]["attack"]
    return flatten({"data": data, "threat": config["threat"], "validation": {"attack": attack}})


def _require_same(ways: Sequence[tuple[str, Mapping[str, object]]]) -> None:
    (name, first), *others = ways
    for other, way in others:
        for key in sorted(first.keys() | way.keys()):
            ours, theirs = first.get(key), way.get(key)
            if ours != theirs:
                raise ValueError(
                    f"{name} and {other} were not measured in the same way: {key} is {ours} in the "
                    f"one and {theirs} in the other; only equal data, threat models, validation "
                    "attacks, objectives and constraints compare"
                )
