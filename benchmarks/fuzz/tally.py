"""What became of all inputs of a kind."""

import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.fuzz.targets import TARGETS
from benchmarks.fuzz.verdicts import Verdict
from benchmarks.fuzz.worker import Input
from tuner.storage.atomic import write_atomically

KEPT = 5
"""Inputs kept of every kind of fault."""


class Tally:
    """Counts of one target; inputs that are faults are kept as files.

    Args:
        name: of the target.
        folder: for faults.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self._folder = name, folder
        self.accepted, self.seconds = 0, 0.0
        self.refused: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()

    @property
    def inputs(self) -> int:
        """How many were read."""
        return self.accepted + self.refused.total() + self.faults.total()

    def count(self, one: Input, verdict: Verdict, seconds: float) -> None:
        """Take in what became of an input."""
        self.seconds += seconds
        if verdict.kind == "accepted":
            self.accepted += 1
        elif verdict.kind == "refused":
            self.refused[verdict.why] += 1
        else:
            self.faults[verdict.why] += 1
            if self.faults[verdict.why] <= KEPT:
                self._keep(one, verdict)

    def _keep(self, one: Input, verdict: Verdict) -> None:
        place = self._folder / self.name.replace(" ", "-") / str(one.number)
        shutil.rmtree(place, ignore_errors=True)
        write_atomically(place / TARGETS[self.name].file, one.content())
        write_atomically(place / "why.txt", f"{verdict.why}\n")

    def as_json(self) -> dict[str, Any]:
        """All counts; seconds of wall time."""
        return {
            "inputs": self.inputs,
            "seconds": round(self.seconds, 1),
            "accepted": self.accepted,
            "refused": self.refused.total(),
            "faults": self.faults.total(),
            "refused_as": dict(self.refused.most_common(100)),
            "faults_as": dict(self.faults.most_common()),
        }


def table(tallies: Iterable[Tally]) -> str:
    """A line per target, and below it a line per kind of fault."""
    lines = [f"{'':22}{'inputs':>8}{'seconds':>9}{'accepted':>10}{'refused':>9}{'faults':>8}"]
    for one in tallies:
        counts = one.accepted, one.refused.total(), one.faults.total()
        head = f"{one.name:22}{one.inputs:8}{one.seconds:9.1f}"
        lines.append(head + "{:10}{:9}{:8}".format(*counts))
        lines += [f"    {number:6}  {why}" for why, number in one.faults.most_common()]
    return "\n".join(lines)
