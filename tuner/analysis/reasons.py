"""Why trials ended early, counted by kind."""

import re
from collections import Counter
from collections.abc import Iterable

from tuner.records import TrialRecord

NUMBER = re.compile(r"\d+(\.\d+)?")


def kinds(records: Iterable[TrialRecord]) -> list[tuple[str, int]]:
    """Reasons and how many trials gave them, the most frequent first.

    Reasons that differ in numbers only are one kind, with ``…`` for the numbers; a reason that
    stands alone keeps its own.
    """
    reasons = [record.reason for record in records]
    patterns = [NUMBER.sub("…", reason) for reason in reasons]
    different: dict[str, set[str]] = {}
    for pattern, reason in zip(patterns, reasons, strict=True):
        different.setdefault(pattern, set()).add(reason)
    counted = Counter(patterns).most_common()
    return [
        (next(iter(found)) if len(found := different[p]) == 1 else p, number)
        for p, number in counted
    ]
