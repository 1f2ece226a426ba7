"""What a claim is, and how a section of the document is written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.claims.numbers import Found, Results
from benchmarks.claims.plan import Run

REPRODUCED, PARTLY, NOT = "reproduced", "partly reproduced", "not reproduced"


@dataclass(frozen=True)
class Evidence:
    """Everything that was measured.

    Attributes:
        groups: results by group of runs.
        teacher: what was measured on the teacher, by measure.
        pictures: folder of the pictures, beside the document.
    """

    groups: Mapping[str, Results]
    teacher: Found
    pictures: Path

    @classmethod
    def of(cls, measured: list[tuple[Run, Found]], teacher: Found, pictures: Path) -> "Evidence":
        """Sort what was measured by group."""
        names = dict.fromkeys(run.group for run, _ in measured)
        return cls({name: Results.of(name, measured) for name in names}, teacher, pictures)

    def taught(self, quantity: str) -> float:
        """A quantity of the teacher."""
        measure, key = quantity.split("/")
        value: Any = self.teacher[measure][key]
        return float(value)


@dataclass(frozen=True)
class Finding:
    """What the runs say about a claim."""

    table: str
    picture: str
    verdict: str
    because: str


@dataclass(frozen=True)
class Claim:
    """A sentence of a paper and the function that looks at it."""

    number: int
    sentence: str
    source: str
    experiment: str
    look: Callable[[Evidence], Finding]

    def section(self, evidence: Evidence) -> str:
        """Markdown."""
        found = self.look(evidence)
        return "\n\n".join(
            [
                f"## {self.number}. {self.sentence}",
                f"*Source:* {self.source}",
                f"*Experiment:* {self.experiment}",
                found.table,
                f"![Claim {self.number}]({evidence.pictures.name}/{found.picture})",
                f"**Verdict: {found.verdict}.** {found.because}",
            ]
        )

    def summary(self, evidence: Evidence) -> str:
        """A row of the table at the top."""
        return f"| {self.number} | {self.sentence} | {self.look(evidence).verdict} |"
