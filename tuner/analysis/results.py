"""What a study found: its front, knee and hypervolume, and what it gained over the baselines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

import numpy as np

from tuner.analysis.replicates import merge_replicates
from tuner.quantities import is_accuracy
from tuner.records import TrialRecord, TrialState
from tuner.search.front_geometry import Losses, hypervolume, knee, non_dominated_ranks
from tuner.study import StudyConfig


@dataclass(frozen=True)
class Gain:
    """What the search bought for one student over one baseline, measured the same way.

    Attributes:
        student: architecture.
        baseline: the complete baseline trial.
        best: knee of the student's own front among the trials that are no baseline.
        gains: ``best`` against the baseline by objective; above 0 is better, whatever the
            direction.
        free: by objective, the trial that gains most there among those that hold the constraints
            and are no worse than the baseline on every other objective; an objective on which
            nothing is gained that way is missing.
    """

    student: str
    baseline: TrialRecord
    best: TrialRecord
    gains: Mapping[str, float]
    free: Mapping[str, TrialRecord]


@dataclass(frozen=True, eq=False)
class Results:
    """A study and its trials as far as they are known; the rest is derived when asked for."""

    study: StudyConfig
    records: Sequence[TrialRecord]

    @cached_property
    def complete(self) -> list[TrialRecord]:
        """Trials with objectives, by number; replicates as one, with their means."""
        return merge_replicates(self.records)

    @cached_property
    def running(self) -> list[TrialRecord]:
        """Trials under way, by number."""
        return self._in_state(TrialState.running)

    @cached_property
    def failed(self) -> list[TrialRecord]:
        """Trials that raised, diverged or ran out of memory, by number."""
        return self._in_state(TrialState.failed)

    @cached_property
    def stopped(self) -> list[TrialRecord]:
        """Trials that the scheduler gave up, by number."""
        return self._in_state(TrialState.stopped)

    def _in_state(self, state: TrialState) -> list[TrialRecord]:
        found = [record for record in self.records if record.state == state]
        return sorted(found, key=lambda record: record.number)

    @property
    def feasible(self) -> list[TrialRecord]:
        """Complete trials that hold the study's constraints; all, if it has none."""
        return [record for record in self.complete if not self.study.violation(record.metrics)]

    @property
    def metrics(self) -> list[str]:
        """Names of the objectives, in the study's order."""
        return [objective.metric for objective in self.study.objectives]

    def losses(self, records: Sequence[TrialRecord]) -> Losses:
        """Objectives of complete records ``(records, objectives)``; signed, less is better."""
        signs = [
            -1.0 if objective.direction == "maximize" else 1.0
            for objective in self.study.objectives
        ]
        values = [[record.values[metric] for metric in self.metrics] for record in records]
        return np.array(values, dtype=float).reshape(len(records), len(signs)) * signs

    @cached_property
    def ranks(self) -> dict[int, int]:
        """Non-dominated rank of every complete trial by number; 0 is the front."""
        violations = np.array([self.study.violation(record.metrics) for record in self.complete])
        ranks = non_dominated_ranks(self.losses(self.complete), violations)
        return {record.number: int(rank) for record, rank in zip(self.complete, ranks, strict=True)}

    @cached_property
    def front(self) -> list[TrialRecord]:
        """Trials of rank 0, the best on the first objective first; equal values all stay.

        Where no trial holds the study's constraints, those that come closest.
        """
        members = [record for record in self.complete if self.ranks[record.number] == 0]
        return sorted(members, key=lambda record: (*self.losses([record])[0], record.number))

    @property
    def baselines(self) -> list[TrialRecord]:
        """Complete trials that are there for comparison, by number."""
        return [record for record in self.complete if record.is_baseline]

    @property
    def searched(self) -> list[TrialRecord]:
        """Complete trials that are no baseline, by number; the paper's setting is among them."""
        return [record for record in self.complete if not record.is_baseline]

    @cached_property
    def reference(self) -> Losses:
        """The corner that hypervolume is measured from, as losses ``(objectives,)``.

        Accuracy 0 for an accuracy that is maximised; for everything else the worst value that a
        complete trial had. It therefore compares studies with accuracies as objectives; with
        others, only trials of one study.
        """
        worst = self.losses(self.complete).max(axis=0, initial=-np.inf)
        fixed = [is_accuracy(o.metric) and o.direction == "maximize" for o in self.study.objectives]
        return np.where(fixed, 0.0, worst)

    @cached_property
    def hypervolume(self) -> float:
        """Volume that the feasible trials dominate, from ``reference``; larger is better."""
        return hypervolume(self.losses(self.feasible), self.reference)

    @cached_property
    def hypervolume_history(self) -> list[tuple[int, float]]:
        """Trial number and hypervolume after it, by completion; one ``reference`` for all."""
        unknown = datetime.max.replace(tzinfo=UTC)
        order = sorted(self.feasible, key=lambda record: (record.ended or unknown, record.number))
        losses = self.losses(order)
        return [
            (record.number, hypervolume(losses[: position + 1], self.reference))
            for position, record in enumerate(order)
        ]

    @cached_property
    def knee(self) -> TrialRecord:
        """The best compromise on the front: see ``front_geometry.knee``.

        Raises:
            ValueError: if no trial is complete.
        """
        self.need_complete()
        return self.front[knee(self.losses(self.front))]

    def best(self, metric: str, within: Sequence[TrialRecord] | None = None) -> TrialRecord:
        """Best of the front, or of ``within``; ties: the other objectives, then number."""
        column = self.metrics.index(metric)

        def order(record: TrialRecord) -> tuple[float, ...]:
            losses = self.losses([record])[0]
            return (losses[column], *losses, record.number)

        return min(self.front if within is None else within, key=order)

    def need_complete(self) -> None:
        """Refuse a study without a front.

        Raises:
            ValueError: if no trial is complete.
        """
        if not self.complete:
            ended = {"failed": len(self.failed), "stopped early": len(self.stopped)}
            told = ", ".join(f"{number} {how}" for how, number in ended.items() if number)
            raise ValueError(
                f"study {self.study.name!r} has no complete trial yet{told and f' ({told})'}, so "
                "there is no front; tuner status says how far it is and what went wrong"
            )

    @cached_property
    def summary(self) -> dict[str, float]:
        """The study in numbers: hypervolume, counts of trials, the best value of each objective."""
        counts = {f"trials/{state}": float(len(self._in_state(state))) for state in TrialState}
        bests = {
            f"best/{metric.split('/')[-1]}": self.best(metric).values[metric]
            for metric in self.metrics
            if self.complete
        }
        return {
            "hypervolume": self.hypervolume,
            "trials/total": float(len(self.records)),
            **counts,
            "front/size": float(len(self.front)),
            **bests,
        }

    def gain(self, metric: str, record: TrialRecord, baseline: TrialRecord) -> float:
        """How much better than ``baseline`` the record is, in the metric's unit; below 0: worse."""
        column = self.metrics.index(metric)
        ours, theirs = self.losses([record, baseline])[:, column]
        return float(theirs - ours)

    @cached_property
    def baseline_gain(self) -> list[Gain]:
        """What the search bought, by student and baseline; empty without searched trials."""
        return [
            self._gain(record, own)
            for record in sorted(self.baselines, key=lambda record: (record.student, record.number))
            if (
                own := [
                    searched for searched in self.searched if searched.student == record.student
                ]
            )
        ]

    def _gain(self, baseline: TrialRecord, searched: list[TrialRecord]) -> Gain:
        best = Results(self.study, searched).knee
        gains = {metric: self.gain(metric, best, baseline) for metric in self.metrics}
        allowed = [record for record in searched if not self.study.violation(record.metrics)]
        free = {metric: self._free(metric, baseline, allowed) for metric in self.metrics}
        found = {metric: record for metric, record in free.items() if record is not None}
        return Gain(baseline.student, baseline, best, gains, found)

    def _free(
        self, metric: str, baseline: TrialRecord, searched: list[TrialRecord]
    ) -> TrialRecord | None:
        others = [other for other in self.metrics if other != metric]
        no_worse = [
            record
            for record in searched
            if self.gain(metric, record, baseline) > 0
            and all(self.gain(other, record, baseline) >= 0 for other in others)
        ]
        return max(no_worse, key=lambda record: self.gain(metric, record, baseline), default=None)
