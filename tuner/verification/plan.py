"""Verifying a study: who, how often, on Ray, from wherever an earlier attempt stopped."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite

import torch

from trainables.data import load_data
from trainables.measuring.attack_text import Attack
from trainables.measuring.named_attacks import NamedAttack
from trainables.threat import ThreatModel
from tuner.analysis.replicates import groups
from tuner.analysis.results import Results
from tuner.evaluation.measuring import Request
from tuner.exporting.made_with import commit, listed, versions
from tuner.records import TrialRecord
from tuner.storage.directory import StudyDirectory
from tuner.study import StudyConfig
from tuner.verification.measured import FOLDER, Verification, VerifiedMember, VerifiedRun
from tuner.verification.members import Candidate, candidates
from tuner.verification.student import Student, known

SHARES = (0.5, 1.0, 1.5)
"""Of the study's epsilon: the radii where none are named."""

Outcomes = dict[tuple[int, int], VerifiedRun | str]
"""What became of a student, by the number of its config's first trial and its seed."""


@dataclass(frozen=True)
class Asked:
    """What the command line asks for.

    Attributes:
        seeds: per config.
        attack: decides beside the study's own.
        epsilons: radii beside the study's own; None: half of it, it, and one and a half times it.
        neighbours: trials near the front that are measured, too.
        images: the first so many of the test split; None for all.
        gates: whether to look for masked gradients.
        seed: of every random start.
    """

    seeds: int
    attack: Attack
    epsilons: tuple[float, ...] | None
    neighbours: int
    images: int | None
    gates: bool
    seed: int


@dataclass(frozen=True)
class Plan:
    """Everything that is to be measured, before anything is."""

    study: StudyConfig
    candidates: list[Candidate]
    students: list[Student]
    request: Request
    num_images: int
    asked: Asked

    @property
    def to_train(self) -> list[Student]:
        """Students that the study did not train."""
        return [student for student in self.students if student.trial is None]


def make_plan(results: Results, directory: StudyDirectory, asked: Asked) -> Plan:
    """Choose configs and seeds; the first seed of every config comes before any second one.

    Raises:
        ValueError: if no trial is complete, or the test split has too few images.
    """
    chosen = candidates(results, asked.neighbours)
    data = load_data(results.study.base.data, torch.device("cpu")).test
    if asked.images is not None and asked.images > len(data):
        raise ValueError(
            f"--images must be at most {len(data)}, the size of the test split, got {asked.images}"
        )
    # a merged record has the number of its first complete trial
    replicates = {members[0].number: members for members in groups(results.records).values()}
    by_config = [
        _students(replicates[candidate.record.number], directory, asked.seeds)
        for candidate in chosen
    ]
    ordered = [seeds[i] for i in range(asked.seeds) for seeds in by_config]
    request = _request(results.study, asked)
    return Plan(results.study, chosen, ordered, request, asked.images or len(data), asked)


def _request(study: StudyConfig, asked: Asked) -> Request:
    own = study.base.threat
    radii = asked.epsilons or tuple(share * own.epsilon for share in SHARES)
    allowed = sorted({own.epsilon, *(round(radius, 12) for radius in radii if radius <= 1)})
    attacks = {attack.key: attack for attack in (validation_attack(study), asked.attack)}
    threats = tuple(ThreatModel(norm=own.norm, epsilon=radius) for radius in allowed)
    return Request(
        tuple(attacks.values()),
        threats,
        "test",
        asked.images,
        gates=asked.gates,
        seed=asked.seed,
    )


def validation_attack(study: StudyConfig) -> NamedAttack:
    """The attack behind ``val/robust_accuracy``, for the test split; its random starts differ."""
    attack = study.base.validation.attack
    return NamedAttack(
        loss="margin",
        steps=attack.steps,
        step=attack.step_size,
        step_unit="epsilon",
        start=attack.start,
    )


def _students(members: Sequence[TrialRecord], place: StudyDirectory, seeds: int) -> list[Student]:
    """The trials that trained the config, one per seed, then seeds that nobody has trained yet."""
    first = members[0]
    by_seed = {int(m.config["seed"]): m for m in reversed(members)}
    trained = [
        _student(first, seed, place, trial=record)
        for seed, record in sorted(by_seed.items())
        if place.trial_file(record.number, "checkpoint.pt").is_file()
    ][:seeds]
    taken = {student.seed for student in trained}
    begin = int(first.config["seed"])
    fresh = [seed for seed in range(begin, begin + 2 * seeds + 1) if seed not in taken]
    missing = fresh[: seeds - len(trained)]
    return [*trained, *(_student(first, seed, place, trial=None) for seed in missing)]


def _student(
    first: TrialRecord, seed: int, place: StudyDirectory, *, trial: TrialRecord | None
) -> Student:
    folder = place.path.resolve() / FOLDER / f"{first.number:04d}" / str(seed)
    source = folder if trial is None else place.trial(trial.number).resolve()
    config = {**first.config, "seed": seed} if trial is None else dict(trial.config)
    return Student(
        member=first.number,
        trial=None if trial is None else trial.number,
        config=config,
        checkpoint=source / "checkpoint.pt",
        folder=folder,
        teachers=place.teachers.resolve(),
    )


def already(plan: Plan) -> Outcomes:
    """What an earlier attempt has measured."""
    found = {(s.member, s.seed): known(s, plan.request) for s in plan.students}
    return {key: run for key, run in found.items() if run is not None}


def assemble(plan: Plan, outcomes: Outcomes) -> Verification:
    """The result; everything that the plan names has an outcome."""
    own = validation_attack(plan.study)
    return Verification(
        study=plan.study,
        members=tuple(_member(plan, candidate, outcomes) for candidate in plan.candidates),
        seeds=plan.asked.seeds,
        images=plan.num_images,
        attack=plan.asked.attack.key,
        attack_name=plan.asked.attack.name,
        validation_attack=own.key,
        validation_attack_name=own.name,
        epsilons=tuple(threat.epsilon for threat in plan.request.threats),
        evaluation_seed=plan.asked.seed,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        facts=facts(),
    )


def _member(plan: Plan, candidate: Candidate, outcomes: Outcomes) -> VerifiedMember:
    record = candidate.record
    found = {s.seed: outcomes[s.member, s.seed] for s in plan.students if s.member == record.number}
    runs = [run for run in found.values() if isinstance(run, VerifiedRun)]
    return VerifiedMember(
        trial=record.number,
        role=candidate.role,
        why=candidate.why,
        label=record.label,
        teacher=record.teacher,
        config=dict(record.config),
        validation={k: v for k, v in {**record.metrics, **record.values}.items() if isfinite(v)},
        validation_seeds=record.replicates,
        runs=tuple(runs),
        failures={seed: reason for seed, reason in found.items() if isinstance(reason, str)},
    )


def facts() -> dict[str, str]:
    """The commit that measured, where there is one, and versions."""
    numbers = listed(versions(("torch", "timm", "pyautoattack")))
    found = commit()
    return {**({"commit": found} if found else {}), "versions": numbers}
