"""What is known of a trial: the one shape in which results, MLflow and export see a study."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from trainables.alignments import ALIGNMENTS
from tuner.running.second_try import SecondTry

Metrics = Mapping[str, float]
SYMBOLS = tuple(term.symbol for term in ALIGNMENTS.values())
"""Names of the alignments' weights: alpha, beta, gamma, lambda, mu."""


class TrialState(StrEnum):
    """Where a trial stands. Only ``complete`` trials have objectives and can be on the front."""

    running = "running"
    complete = "complete"
    stopped = "stopped"
    failed = "failed"


class Cause(StrEnum):
    """Why a trial failed; the reason of a failed trial begins with it."""

    diverged = "diverged"
    out_of_memory = "out of memory"
    raised = "raised"
    worker_died = "worker died"
    cancelled = "cancelled"


@dataclass(frozen=True)
class TrialRecord:
    """One trial as the ledger holds it.

    Attributes:
        number: the trial's identity, its Optuna number.
        state: where it stands.
        label: ``searched``, ``paper``, or the name of a baseline.
        teacher: name of the teacher in the study, or an empty string where nothing asks one.
        config: the whole ``TrialConfig`` as JSON types, nested.
        params: what the search chose, by config path (``alignments/gram/weight``).
        reports: metrics after each epoch, in order; each holds its ``epoch``, starting at 1, and
            ``timestamp``, when the driver received it, in milliseconds since 1970.
        values: the objectives by metric name; empty unless complete.
        reason: why it was stopped or failed, in words; of a failed trial it begins with its cause.
        repeats: number of the trial whose config this one trains again with another seed.
        second_try: how it is trained since it ran out of memory, if it did; of its config, too.
        retries: number of the trial that was lost with its worker and that this one makes good.
        spread: standard deviation of each objective over ``replicates`` seeds, where ``values``
            are their means.
        replicates: how many trials ``values`` come from.
        started: when it was proposed, with time zone.
        ended: when it reached its last state.
    """

    number: int
    state: TrialState
    label: str
    teacher: str
    config: Mapping[str, Any]
    params: Mapping[str, Any] = field(default_factory=dict)
    reports: tuple[Metrics, ...] = ()
    values: Metrics = field(default_factory=dict)
    reason: str = ""
    repeats: int | None = None
    retries: int | None = None
    second_try: SecondTry | None = None
    spread: Metrics = field(default_factory=dict)
    replicates: int = 1
    started: datetime | None = None
    ended: datetime | None = None

    @property
    def student(self) -> str:
        """Architecture of the student."""
        return str(self.config["student"]["architecture"])

    @property
    def pair(self) -> str:
        """Teacher and student as ``teacher > student``; the student alone without a teacher."""
        return f"{self.teacher} > {self.student}" if self.teacher else self.student

    @property
    def metrics(self) -> Metrics:
        """The last report; empty before the first epoch ended."""
        return self.reports[-1] if self.reports else {}

    @property
    def last_heard(self) -> datetime | None:
        """When it ended, or else sent its last report, or else began."""
        if self.ended is None and "timestamp" in self.metrics:
            return datetime.fromtimestamp(self.metrics["timestamp"] / 1000, UTC)
        return self.ended or self.started

    @property
    def cause(self) -> Cause | None:
        """Why it failed; None unless it did."""
        if self.state != TrialState.failed:
            return None
        prefix = self.reason.partition(":")[0]
        return Cause(prefix) if prefix in set(Cause) else Cause.raised

    @property
    def is_baseline(self) -> bool:
        """Whether the trial is there for comparison and was not proposed by the search."""
        return self.label not in {"searched", "paper"}

    @property
    def weights(self) -> dict[str, float]:
        """Weights of the alignments by symbol (alpha, beta, ...); 0 for a term that is off."""
        alignments = self.config["alignments"]
        return {
            term.symbol: float((alignments.get(name) or {}).get("weight", 0.0))
            for name, term in ALIGNMENTS.items()
        }
