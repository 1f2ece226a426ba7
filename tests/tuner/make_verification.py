"""A verification without training or attacking anything."""

from typing import Any

from make_records import make_results, make_study

from tuner.analysis.results import Results
from tuner.verification.measured import Measured, Verification, VerifiedMember, VerifiedRun
from tuner.verification.members import Role

IMAGES = 300
EPSILON = 0.15
OWN, STRONG = "pgd20_margin_0p25eps_uniform", "autoattack"


def make_run(
    seed: int, clean: int, robust: int, *, verdict: str | None = "plausible"
) -> VerifiedRun:
    """Counts of ``IMAGES``; the study's own attack leaves ten images more than AutoAttack."""
    attacked = [
        Measured(key=key, epsilon=epsilon, correct=min(clean, count + more), total=IMAGES)
        for epsilon, count in ((EPSILON / 2, (clean + robust) // 2), (EPSILON, robust))
        for key, more in ((OWN, 10), (STRONG, 0))
    ]
    return VerifiedRun(
        seed=seed,
        trial=seed,
        checkpoint=f"trials/{seed:04d}/checkpoint.pt",
        sha256="0" * 64,
        measured=(Measured(key="clean", epsilon=0.0, correct=clean, total=IMAGES), *attacked),
        verdict=verdict,
        notes=(),
        seconds=12.5,
        hardware="x86_64, 2 cores, cpu",
    )


def make_member(
    results: Results,
    number: int,
    *counts: tuple[int, int],
    role: Role = "front",
    verdict: str | None = "plausible",
    failures: dict[int, str] | None = None,
) -> VerifiedMember:
    """A member with a run per pair of clean and robust counts."""
    record = next(record for record in results.complete if record.number == number)
    return VerifiedMember(
        trial=number,
        role=role,
        why="on the front",
        label=record.label,
        teacher=record.teacher,
        config=dict(record.config),
        validation={**record.metrics, **record.values},
        validation_seeds=record.replicates,
        runs=tuple(make_run(i, *pair, verdict=verdict) for i, pair in enumerate(counts)),
        failures=failures or {},
    )


def make_verification(results: Results, *members: VerifiedMember) -> Verification:
    """The members under AutoAttack at the study's epsilon and at half of it, two seeds asked."""
    return Verification(
        study=results.study,
        members=members,
        seeds=2,
        images=IMAGES,
        attack=STRONG,
        attack_name="AutoAttack (standard)",
        validation_attack=OWN,
        validation_attack_name="PGD-20 (margin)",
        epsilons=(EPSILON / 2, EPSILON),
        evaluation_seed=0,
        created="2026-03-02T10:00:00+00:00",
        facts={"versions": "torch 2"},
    )


def study_of(*points: tuple[float, ...], **settings: Any) -> Results:
    """Complete trials 0, 1, … at these validation points, under ``EPSILON``."""
    base = {"threat": {"epsilon": EPSILON}}
    results = make_results(*points)
    return Results(make_study(base=base, **settings), results.records)
