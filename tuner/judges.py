"""Who says that a trial should stop: a rule over reports, without Ray's controller."""

import math
from collections.abc import Iterable
from typing import Protocol

from tuner.halving import Halving
from tuner.records import Metrics, TrialRecord, TrialState
from tuner.scheduler_config import FifoConfig, HalvingConfig
from tuner.study import StudyConfig


class Judge(Protocol):
    """A rule for stopping early."""

    def note(self, record: TrialRecord, report: Metrics) -> None:
        """Learn of a report whose verdict is already known."""

    def judge(self, record: TrialRecord, report: Metrics) -> str:
        """Learn of a report; why its trial should stop, or an empty string."""


class Nobody:
    """Lets every trial go on."""

    def note(self, record: TrialRecord, report: Metrics) -> None:
        """Nothing."""

    def judge(self, record: TrialRecord, report: Metrics) -> str:
        """Nothing."""
        return ""


class FrontJudge:
    """Successive halving on the whole front; early rungs may look at a proxy."""

    def __init__(self, study: StudyConfig, config: HalvingConfig) -> None:
        self._study, self._proxy = study, config.proxy
        self._halving = Halving(
            config,
            epochs=study.base.epochs,
            num_objectives=len(study.objectives),
            seed=study.sampler.seed,
        )

    def note(self, record: TrialRecord, report: Metrics) -> None:
        """Enter the report at its rung."""
        self._halving.note(_place(record), *self._point(report))

    def judge(self, record: TrialRecord, report: Metrics) -> str:
        """Enter the report at its rung and compare it."""
        return self._halving.judge(_place(record), *self._point(report))

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


def judged(record: TrialRecord) -> bool:
    """Whether a trial can be stopped early at all.

    Baselines and the paper's setting are there to be compared with, and a replicate repeats a
    config that has passed: they neither stop nor count at a rung.
    """
    return record.label == "searched" and record.repeats is None


def create_judge(study: StudyConfig) -> Judge:
    """The rule that the study asks for."""
    scheduler = study.scheduler
    if isinstance(scheduler, FifoConfig):
        return Nobody()
    if isinstance(scheduler, HalvingConfig):
        return FrontJudge(study, scheduler)
    from tuner.ray_judge import RayJudge  # takes seconds to import

    return RayJudge(scheduler, study.base.epochs)


def rebuild(judge: Judge, records: Iterable[TrialRecord]) -> dict[int, str]:
    """Bring a fresh judge to where the ledger is.

    Returns:
        Why to stop, by number, of unfinished trials whose last report was stored and not judged.
    """
    reports = [
        (record, report)
        for record in records
        for report in record.reports
        if judged(record) and report["epoch"] < record.config["epochs"]  # the last is not judged
    ]
    reports.sort(key=lambda pair: pair[1]["timestamp"])  # as they came
    verdicts: dict[int, str] = {}
    for record, report in reports:
        if record.state != TrialState.running or report is not record.metrics:
            judge.note(record, report)
        elif reason := judge.judge(record, report):
            verdicts[record.number] = reason
    return verdicts
