"""Who says that a trial should stop: a rule over reports, without Ray's controller."""

import math
from collections.abc import Iterable
from typing import Protocol

from trainables.metrics import OBJECTIVES
from tuner.records import Metrics, TrialRecord, TrialState
from tuner.search.foresight import Foresight, features
from tuner.search.front_geometry import Losses
from tuner.search.halving import Halving
from tuner.search.judged import judged
from tuner.search.scheduler_config import FifoConfig, HalvingConfig
from tuner.study import StudyConfig

METRICS = tuple(OBJECTIVES)
"""What foresight looks at."""


class Judge(Protocol):
    """A rule for stopping early."""

    def note(self, record: TrialRecord, report: Metrics) -> None:
        """Learn of a report whose verdict is already known."""

    def judge(self, record: TrialRecord, report: Metrics) -> str:
        """Learn of a report; why its trial should stop, or an empty string."""

    def finish(self, record: TrialRecord) -> None:
        """Learn of a trial that is complete."""


class Nobody:
    """Lets every trial go on."""

    def note(self, record: TrialRecord, report: Metrics) -> None:
        """Nothing."""

    def judge(self, record: TrialRecord, report: Metrics) -> str:
        """Nothing."""
        return ""

    def finish(self, record: TrialRecord) -> None:
        """Nothing."""


class FrontJudge:
    """Successive halving on the whole front, by what trials have or are foreseen to end with."""

    def __init__(self, study: StudyConfig, config: HalvingConfig) -> None:
        self._study, self._proxy = study, config.proxy
        self._milestones = set(config.milestones(study.base.epochs))
        self._foresight = Foresight(config.foresight) if config.foresight else None
        self._halving = Halving(
            config,
            epochs=study.base.epochs,
            num_objectives=len(study.objectives),
            seed=study.sampler.seed,
        )

    def note(self, record: TrialRecord, report: Metrics) -> None:
        """Enter the report at its rung; of a trial that cannot be stopped, learn only."""
        self._see(record, report)
        if judged(record):
            self._halving.note(_place(record), *self._point(report))

    def judge(self, record: TrialRecord, report: Metrics) -> str:
        """Enter the report at its rung and compare it."""
        self._see(record, report)
        epoch, losses, violation = self._point(report)
        foresight = self._foresight

        def foresee(numbers: Iterable[int]) -> Losses | None:
            return foresight.predict(epoch, numbers) if foresight else None

        return self._halving.judge(_place(record), epoch, losses, violation, foresee=foresee)

    def finish(self, record: TrialRecord) -> None:
        """Learn where the trial ended."""
        if self._foresight:
            self._foresight.finish(_place(record), self._losses(record.values))

    def _see(self, record: TrialRecord, report: Metrics) -> None:
        epoch = int(report["epoch"])
        if self._foresight and epoch in self._milestones:
            found = features(record.reports[:epoch], METRICS)
            self._foresight.see(epoch, _place(record), found)

    def _losses(self, values: Metrics) -> list[float]:
        signs = {"maximize": -1.0, "minimize": 1.0}
        return [signs[o.direction] * values[o.metric] for o in self._study.objectives]

    def _point(self, report: Metrics) -> tuple[int, tuple[float, ...], float]:
        epoch = int(report["epoch"])
        losses = tuple(
            self._loss(o.metric, o.direction, report, epoch) for o in self._study.objectives
        )
        return epoch, losses, self._study.violation(report)

    def _loss(self, metric: str, direction: str, report: Metrics, epoch: int) -> float:
        proxy = self._proxy
        if proxy and metric == proxy.instead_of and epoch <= proxy.until:
            metric, direction = proxy.metric, proxy.direction
        value = report.get(metric, math.nan)
        return -value if direction == "maximize" else value


def _place(record: TrialRecord) -> int:
    """Whose place it takes at a rung: a retry its own config's, which it must not compete with."""
    return record.number if record.retries is None else record.retries


def create_judge(study: StudyConfig) -> Judge:
    """The rule that the study asks for."""
    scheduler = study.scheduler
    if isinstance(scheduler, FifoConfig):
        return Nobody()
    if isinstance(scheduler, HalvingConfig):
        return FrontJudge(study, scheduler)
    from tuner.search.ray_judge import RayJudge  # takes seconds to import

    return RayJudge(scheduler, study.base.epochs)


def rebuild(judge: Judge, records: Iterable[TrialRecord]) -> dict[int, str]:
    """Bring a fresh judge to where the ledger is.

    Returns:
        Why to stop, by number, of unfinished trials whose last report was stored and not judged.
    """
    events = [
        (report, record)
        for record in records
        for report in record.reports
        if report["epoch"] < record.config["epochs"] or record.state == TrialState.complete
    ]
    events.sort(key=lambda event: event[0]["timestamp"])  # as they came
    verdicts: dict[int, str] = {}
    for report, record in events:
        newest = report is record.metrics
        if record.state == TrialState.complete and newest:
            judge.finish(record)
        elif record.state != TrialState.running or not newest or not judged(record):
            judge.note(record, report)
        elif reason := judge.judge(record, report):
            verdicts[record.number] = reason
    return verdicts
