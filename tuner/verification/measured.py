"""The front measured again: the test split, AutoAttack over radii, several seeds. Pure data."""

import dataclasses
import json
import statistics
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field

from trainables.frozen import Frozen
from trainables.threat import ThreatModel
from tuner.analysis.results import Results
from tuner.records import Metrics, TrialRecord, TrialState
from tuner.study import StudyConfig
from tuner.verification.members import Role, dominators
from tuner.verification.statistics import Estimate, Interval, of_difference, overlap

FOLDER, FILE = "verification", "verification.json"
CLEAN = "clean"
DERIVED = "table"
"""What the file holds for readers that are no Python; it is worked out anew."""


class Optimism(NamedTuple):
    """What validation promised beyond what the test split keeps.

    Attributes:
        mean: over configs, in accuracy (0.01 is a point); above 0: the choice was lucky.
        interval: 95 %, of the choice of images; as wide as for one config, as all share their
            images. None where nobody knows how many images validation had.
    """

    mean: float
    interval: Interval | None


class Measured(Frozen):
    """What one attack leaves of one student."""

    key: str = Field(description="the attack in a metric's name; clean without one")
    epsilon: float = Field(description="radius in image units; 0 without an attack")
    correct: int = Field(ge=0)
    total: int = Field(ge=1)


class VerifiedRun(Frozen):
    """One student: a config under one seed."""

    seed: int
    trial: int | None = Field(description="of the study, that trained it; None: trained for this")
    checkpoint: str
    sha256: str = Field(description="of the checkpoint")
    measured: tuple[Measured, ...]
    verdict: str | None = Field(description="plausible, or which gates failed; None: not asked")
    notes: tuple[str, ...]
    seconds: float = Field(description="wall time of measuring")
    hardware: str


class VerifiedMember(Frozen):
    """One config with its seeds.

    ``validation`` holds what the study had last reported of it, means over its replicates.
    """

    trial: int
    role: Role
    why: str
    label: str
    teacher: str
    config: dict[str, Any]
    validation: dict[str, float]
    validation_seeds: int
    runs: tuple[VerifiedRun, ...]
    failures: dict[int, str] = Field(description="reason by seed")

    def estimate(self, key: str, epsilon: float) -> Estimate:
        """Accuracy under an attack, over the seeds; at least one run is needed."""
        found = [
            row
            for run in self.runs
            for row in run.measured
            if (row.key, row.epsilon) == (key, epsilon)
        ]
        return Estimate(tuple(row.correct / row.total for row in found), found[0].total)

    @property
    def is_baseline(self) -> bool:
        """Whether it is there for comparison."""
        return self.record({}).is_baseline

    @property
    def masked(self) -> list[int]:
        """Seeds whose robustness the gates do not believe."""
        return [run.seed for run in self.runs if run.verdict not in {None, "plausible"}]

    def record(self, values: Metrics, spread: Metrics | None = None) -> TrialRecord:
        """The trial with these metrics in the place of what the study had reported."""
        report = {**self.validation, **values}
        return TrialRecord(
            self.trial,
            TrialState.complete,
            self.label,
            self.teacher,
            self.config,
            reports=(report,),
            values=values,
            spread=spread or {},
            replicates=max(1, len(self.runs)),
        )


class Verification(Frozen):
    """Everything that was measured, and under what conditions.

    The robust accuracy of a member is what ``attack`` leaves at ``epsilon``.
    """

    study: StudyConfig
    members: tuple[VerifiedMember, ...]
    seeds: int = Field(description="asked for, per config")
    images: int = Field(description="of the test split, the first so many")
    attack: str = Field(description="key of the attack that decides")
    attack_name: str
    validation_attack: str = Field(description="key of the study's own attack, on the test split")
    validation_attack_name: str
    epsilons: tuple[float, ...]
    evaluation_seed: int = Field(description="of every random start")
    created: str = Field(description="UTC, ISO 8601")
    facts: dict[str, str] = Field(description="commit and versions")

    @property
    def threat(self) -> ThreatModel:
        """The study's own ball."""
        return self.study.base.threat

    @property
    def measured(self) -> list[VerifiedMember]:
        """Members of which at least one seed was measured."""
        return [member for member in self.members if member.runs]

    @cached_property
    def source(self) -> Mapping[str, tuple[str, float]]:
        """Attack and radius behind each objective that has a number on the test split."""
        known = {
            "val/clean_accuracy": (CLEAN, 0.0),
            "val/robust_accuracy": (self.attack, self.threat.epsilon),
        }
        asked = [objective.metric for objective in self.study.objectives]
        return {metric: place for metric, place in known.items() if metric in asked}

    @cached_property
    def results(self) -> Results:
        """The study as if it had these members alone, with the verified means as objectives.

        What has no number on the test split, such as a number of parameters, stays as it was.
        """
        study = self.study.model_copy(update={"replicates": max(2, self.seeds)})
        return Results(study, [self._record(member) for member in self.measured])

    def _record(self, member: VerifiedMember) -> TrialRecord:
        estimates = {
            metric: member.estimate(*place)
            for metric, place in {
                "val/clean_accuracy": (CLEAN, 0.0),
                "val/robust_accuracy": (self.attack, self.threat.epsilon),
            }.items()
        }
        means = {metric: estimate.mean for metric, estimate in estimates.items()}
        spread = {m: e.sd for m, e in estimates.items() if e.sd is not None and m in self.source}
        everything = {**member.validation, **means, "val/count": float(self.images)}
        record = member.record(everything, spread)
        values = {o.metric: everything[o.metric] for o in self.study.objectives}
        return dataclasses.replace(record, values=values)

    def member(self, number: int) -> VerifiedMember | None:
        """By the number of its trial; None where nothing of it was measured."""
        return next((m for m in self.measured if m.trial == number), None)

    def is_on_front(self, member: VerifiedMember) -> bool:
        """Whether no other member is better, in the means."""
        return self.results.ranks[member.trial] == 0

    @cached_property
    def names(self) -> Mapping[int, str]:
        """What a picture writes beside each member: those at one place share the first's."""
        places: dict[tuple[float, float], list[int]] = {}
        for member in self.measured:
            robust = member.estimate(self.attack, self.threat.epsilon).mean
            places.setdefault((member.estimate(CLEAN, 0.0).mean, robust), []).append(member.trial)
        return {together[0]: ", ".join(map(str, together)) for together in places.values()}

    def beaten_by(self, member: VerifiedMember) -> list[VerifiedMember]:
        """Members of the verified front that are nowhere worse and somewhere better, in means."""
        known = {record.number: record for record in self.results.records}
        above = dominators(self.results, known[member.trial], self.results.front)
        return [found for record in above if (found := self.member(record.number))]

    def within_noise(self, member: VerifiedMember, other: VerifiedMember) -> bool:
        """Whether on every accuracy the 95 % intervals of seeds and images overlap."""
        return all(
            overlap(member.estimate(*place), other.estimate(*place))
            for place in self.source.values()
        )

    def unverified(self, results: Results) -> list[TrialRecord]:
        """Members of the study's front as it is now that were not asked for: it went on since."""
        asked = {member.trial for member in self.members}
        return [record for record in results.front if record.number not in asked]

    def optimism(self, members: list[VerifiedMember]) -> dict[str, Optimism]:
        """How far validation promised more than the same attack finds on the test split.

        Returns:
            By ``val/clean_accuracy`` and ``val/robust_accuracy``, where validation measured it.
        """
        weak = (self.validation_attack, self.threat.epsilon)
        found = {
            metric: self._optimism([m for m in members if metric in m.validation], metric, place)
            for metric, place in {
                "val/clean_accuracy": (CLEAN, 0.0),
                "val/robust_accuracy": weak,
            }.items()
        }
        return {metric: one for metric, one in found.items() if one is not None}

    def _optimism(
        self, members: list[VerifiedMember], metric: str, place: tuple[str, float]
    ) -> Optimism | None:
        if not members:
            return None
        promised = statistics.fmean(m.validation[metric] for m in members)
        kept = statistics.fmean(m.estimate(*place).mean for m in members)
        count = int(members[0].validation.get("val/count", 0))
        interval = of_difference(promised, count, kept, self.images) if count else None
        return Optimism(promised - kept, interval)

    def left_by_attack(self, members: list[VerifiedMember]) -> float | None:
        """Share of what the study's own attack leaves on the test split that this one leaves, too.

        Of the members together, so that those without any robustness weigh nothing; None where
        the study's own attack leaves nothing.
        """
        epsilon = self.threat.epsilon
        weak = sum(m.estimate(self.validation_attack, epsilon).mean for m in members)
        strong = sum(m.estimate(self.attack, epsilon).mean for m in members)
        return strong / weak if weak else None


def load_verification(directory: Path) -> Verification | None:
    """What ``tuner verify`` left in a study's directory; None where it has not been there.

    Raises:
        ValueError: if the file is not one of ours.
    """
    path = directory / FOLDER / FILE
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Verification.model_validate({k: v for k, v in content.items() if k != DERIVED})
    except (ValueError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"{path} is no result of this version's tuner verify; delete it and verify again"
        ) from error
