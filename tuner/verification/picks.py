"""Picking a trial on the numbers that can be trusted, and saying which they were."""

from dataclasses import dataclass
from typing import Literal

from tuner.analysis.picks import pick
from tuner.analysis.results import Results
from tuner.quantities import attack_name, measured, num_images
from tuner.records import TrialRecord
from tuner.verification.measured import Verification
from tuner.verification.table import stale_sentence, values_sentence

Numbers = Literal["validation", "verified"]


@dataclass(frozen=True)
class Pick:
    """A trial that was picked.

    Attributes:
        record: as the study has it, validation numbers inside.
        on: the numbers that it was picked on.
        sentence: these numbers, with their attack and n; and which trials were not among them.
    """

    record: TrialRecord
    on: Numbers
    sentence: str


def choose(
    results: Results, which: str, found: Verification | None, on: Numbers | None = None
) -> Pick:
    """One trial by wish, on verified numbers where there are any.

    Args:
        results: the study.
        which: see ``picks.pick``; ``robust`` is accuracy under the attack of the numbers used.
        found: its verification, if there is one.
        on: the numbers to use; None: the verified ones, where the study is verified and, for
            ``trial:7``, that trial is among those measured.

    Raises:
        ValueError: if nothing fulfils the wish on these numbers, or there are no such numbers.
    """
    _need_verified(results, found, on)
    if on == "validation" or found is None or not found.measured:
        return _on_validation(results, which)
    if which.startswith("trial:") and not _is_measured(found, which):
        return _unverified(results, which, on)
    return _on_verified(results, which, found)


def choose_front(
    results: Results, found: Verification | None, on: Numbers | None = None
) -> tuple[list[TrialRecord], Numbers]:
    """The front on verified numbers where there are any, as the study has its trials.

    Returns:
        Its members, and the numbers that it is the front on.

    Raises:
        ValueError: if no trial is complete, or there are no such numbers.
    """
    _need_verified(results, found, on)
    results.need_complete()
    if on == "validation" or found is None or not found.measured:
        return results.front, "validation"
    known = {record.number: record for record in results.complete}
    return [known[record.number] for record in found.results.front], "verified"


def _need_verified(results: Results, found: Verification | None, on: Numbers | None) -> None:
    if on == "verified" and (found is None or not found.measured):
        raise ValueError(
            f"study {results.study.name!r} has no verified numbers; make them with: tuner verify, "
            "or pick with --on validation"
        )


def _is_measured(found: Verification, which: str) -> bool:
    number = which.removeprefix("trial:")
    return number.isdecimal() and found.member(int(number)) is not None


def _unverified(results: Results, which: str, on: Numbers | None) -> Pick:
    """A trial by its number that is not among those measured: only where nobody minds."""
    chosen = _on_validation(results, which)
    if on == "verified":
        raise ValueError(
            f"trial {chosen.record.number} has no verified numbers, as it was not measured on the "
            "test split; pick it with --on validation"
        )
    return chosen


def _broken(results: Results, record: TrialRecord) -> str:
    """Which constraints of the study the trial does not hold; empty if it holds all."""
    values = record.metrics
    bounds = [
        str(bound)
        for bound in results.study.constraints
        if bound.metric in values and bound.violation(values[bound.metric])
    ]
    return f"; beyond the study's constraint {' and '.join(bounds)}" if bounds else ""


def _on_validation(results: Results, which: str) -> Pick:
    record = pick(results, which)
    images = num_images(record)
    doubt = _broken(results, record)
    if record.metrics.get("val/masking_alarm"):
        doubt += "; masked gradients are likely"
    mean = f", means of {record.replicates} seeds" if record.replicates > 1 else ""
    sentence = (
        f"on validation numbers: {measured(record.values)}{mean}; {attack_name(record.config)}"
        f"{f', {images:,} images' if images else ''}{doubt}"
    )
    return Pick(record, "validation", sentence)


def _on_verified(results: Results, which: str, found: Verification) -> Pick:
    try:
        number = pick(found.results, which).number
    except ValueError as error:
        raise ValueError(
            f"on verified numbers ({found.attack_name}, {len(found.measured)} configs): {error}; "
            "--on validation picks among all trials"
        ) from error
    member = found.member(number)
    assert member is not None, "picked among the members"
    record = next(record for record in results.complete if record.number == number)
    stale = stale_sentence(found, results)
    verified = next(record for record in found.results.complete if record.number == number)
    doubt = _broken(found.results, verified)
    if member.masked:
        doubt += f"; masked gradients in seed {', '.join(map(str, member.masked))}"
    sentence = f"on verified numbers: {values_sentence(found, member)}{doubt}"
    return Pick(record, "verified", f"{sentence}; {stale}" if stale else sentence)
