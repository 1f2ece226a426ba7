"""Who is measured again: the front, who is behind it only by chance, and the baselines."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tuner.analysis.results import Results
from tuner.quantities import interval
from tuner.records import TrialRecord
from tuner.search.front_geometry import dominance

Role = Literal["front", "neighbour", "baseline"]


@dataclass(frozen=True)
class Candidate:
    """A config that is to be verified.

    Attributes:
        record: the trial, replicates merged.
        role: why it is there; a baseline on the front is ``front``.
        why: the same in words, with numbers.
    """

    record: TrialRecord
    role: Role
    why: str


def candidates(results: Results, neighbours: int) -> list[Candidate]:
    """The front, at most so many near neighbours, then the other baselines.

    A neighbour is a complete trial that holds the constraints and that the front beats only within
    noise: against every member of the front that dominates it, the 95 % intervals overlap on every
    accuracy. The nearest come first.

    Raises:
        ValueError: if no trial is complete.
    """
    results.need_complete()
    front = [Candidate(record, "front", "on the front") for record in results.front]
    near = _neighbours(results)[:neighbours]
    taken = {candidate.record.number for candidate in [*front, *near]}
    rest = [
        Candidate(record, "baseline", f"baseline {record.label}")
        for record in results.baselines
        if record.number not in taken
    ]
    return [*front, *near, *rest]


def _neighbours(results: Results) -> list[Candidate]:
    found = []
    for record in results.feasible:
        above = dominators(results, record, results.front)
        if record.is_baseline or not above:
            continue
        if all(within_noise(results, record, other) for other in above):
            shortfall, nearest = min(
                (_shortfall(results, record, other), other.number) for other in above
            )
            why = f"at most {100 * shortfall:.1f} points behind trial {nearest}, within noise"
            found.append((shortfall, Candidate(record, "neighbour", why)))
    found.sort(key=lambda pair: (pair[0], pair[1].record.number))
    return [candidate for _, candidate in found]


def dominators(
    results: Results, record: TrialRecord, others: Sequence[TrialRecord]
) -> list[TrialRecord]:
    """Those of ``others`` that are nowhere worse than the record and somewhere better."""
    beats = dominance(results.losses([record, *others]))[:, 0]
    return [other for other, better in zip(others, beats[1:], strict=True) if better]


def within_noise(results: Results, record: TrialRecord, other: TrialRecord) -> bool:
    """Whether on every accuracy that the study optimises both 95 % intervals overlap.

    What is no accuracy, such as a number of parameters, has no noise and decides nothing here.
    """
    pairs = [
        (ours, theirs)
        for metric in results.metrics
        if (ours := interval(record, metric)) and (theirs := interval(other, metric))
    ]
    return bool(pairs) and all(
        max(ours[0], theirs[0]) <= min(ours[1], theirs[1]) for ours, theirs in pairs
    )


def _shortfall(results: Results, record: TrialRecord, other: TrialRecord) -> float:
    """The largest difference of any accuracy, in [0, 1]."""
    accuracies = [metric for metric in results.metrics if interval(record, metric)]
    return max(abs(other.values[metric] - record.values[metric]) for metric in accuracies)
