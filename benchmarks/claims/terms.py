"""Claim 7: which term of the variance-gap loss helps (Dong et al., ECCV 2024)."""

import statistics
from collections.abc import Mapping, Sequence

from benchmarks.claims import pictures
from benchmarks.claims.claim import NOT, PARTLY, REPRODUCED, Evidence, Finding
from benchmarks.claims.numbers import Gain, Results, gain, percent, table
from benchmarks.claims.plan import ABLATION, CNN, VIT, WIDE

STUDENTS = (CNN, WIDE, VIT)
LOGITS, ALL = "AT + logits", "AT + logits + cov + gram"
PAIRS = ("AT + logits + cov", "AT + logits + gram", ALL)
SEVERAL = {
    "clean %": ("accuracy/clean", percent),
    "margin PGD-20 %": ("accuracy/margin@0.2", percent),
    "CE PGD-20 %": ("accuracy/ce@0.2", percent),
    "APGD %": ("apgd/robust", percent),
}
Gains = Mapping[str, Sequence[Gain]]
"""Of each label over AT + logits, a gain per student."""


def over(results: Results, after: str, before: str, quantity: str) -> Gain:
    """Paired gain of one label over another."""
    return gain(results.values(after, quantity), results.values(before, quantity))


def ablation(evidence: Evidence) -> Finding:
    results = evidence.groups["ablation"]
    clean, robust = (_gains(results, of) for of in ("accuracy/clean", "apgd/robust"))
    _draw(evidence, results)
    return Finding(
        table(results, SEVERAL)
        + "\n\nGains in points, paired by seed, with 95 % intervals:\n\n"
        + _rows(clean, robust),
        "claim07.png",
        _verdict(clean, robust),
        _because(clean, robust) + _collapsed(results),
    )


def _gains(results: Results, quantity: str) -> Gains:
    return {
        label: [
            over(results, f"{student}: {label}", f"{student}: {LOGITS}", quantity)
            for student in STUDENTS
        ]
        for label in PAIRS
    }


def _rows(clean: Gains, robust: Gains) -> str:
    rows = ["| student | term added to AT + logits | clean | APGD |", "|---|---|---|---|"]
    rows += [
        f"| {student} | {label.removeprefix(LOGITS + ' + ')} | {clean[label][i]} | "
        f"{robust[label][i]} |"
        for i, student in enumerate(STUDENTS)
        for label in PAIRS
    ]
    return "\n".join(rows)


def _draw(evidence: Evidence, results: Results) -> None:
    pictures.bars(
        evidence.pictures / "claim07.png",
        "The terms of the variance-gap loss",
        "accuracy under APGD-CE and APGD-T at 0.2, %",
        STUDENTS,
        {
            label: [results.values(f"{student}: {label}", "apgd/robust") for student in STUDENTS]
            for label in ABLATION
        },
    )


def _helped(gains: Gains) -> dict[str, int]:
    return {label: sum(g.positive for g in found) for label, found in gains.items()}


def _hurt(gains: Gains) -> int:
    return sum(g.negative for found in gains.values() for g in found)


def _best_together(robust: Gains) -> bool:
    return all(
        robust[ALL][i].mean >= max(robust[label][i].mean for label in PAIRS)
        for i in range(len(STUDENTS))
    )


def _verdict(clean: Gains, robust: Gains) -> str:
    helped = _helped(robust)
    most = helped[PAIRS[0]] >= 2 and helped[ALL] >= 2
    if most and _best_together(robust) and not _hurt(clean):
        return REPRODUCED
    return PARTLY if sum(helped.values()) > _hurt(robust) else NOT


def _because(clean: Gains, robust: Gains) -> str:
    helped = _helped(robust)
    return (
        f"Of three students, covariance helps {helped[PAIRS[0]]}, Gram {helped[PAIRS[1]]}, both "
        f"{helped[ALL]} (95 % interval above zero); in {_hurt(robust)} of nine comparisons the "
        f"term hurts, in {_hurt(clean)} clean accuracy falls. Both together are "
        f"{'' if _best_together(robust) else 'not '}the best on every student."
    )


def _collapsed(results: Results) -> str:
    """The sentence on students at chance level; empty if there are none."""
    chance = [
        label
        for label in results.labels
        if statistics.fmean(results.values(label, "accuracy/clean")) < 0.15
    ]
    found = f" At chance level: {', '.join(chance)}; the weights were not tuned by student."
    return found if chance else ""
