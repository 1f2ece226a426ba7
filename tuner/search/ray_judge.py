"""Ray's own single-metric schedulers as a judge, rebuilt from the ledger like any other."""

from dataclasses import dataclass
from typing import Any

from ray.tune.schedulers import AsyncHyperBandScheduler, MedianStoppingRule, TrialScheduler

from tuner.records import Metrics, TrialRecord
from tuner.search.judged import judged
from tuner.search.scheduler_config import AshaConfig, MedianConfig

MODES = {"maximize": "max", "minimize": "min"}


@dataclass(frozen=True)
class _Stand:
    """As much of a Ray trial as these schedulers look at."""

    trial_id: str


class _NoController:
    """The controller as far as these schedulers ask it: whether other trials wait for a turn."""

    def get_live_trials(self) -> list[Any]:
        """None of them do: how many run at once is not theirs to say."""
        return []


class RayJudge:
    """Asks a scheduler of Ray, which looks at one metric.

    After a crash the stored reports are told to it again, trial by trial; what it answers then is
    not asked.
    """

    def __init__(self, config: AshaConfig | MedianConfig, epochs: int) -> None:
        self._config = config
        self._scheduler: Any = _create(config, epochs)
        self._known: dict[int, _Stand] = {}

    def note(self, record: TrialRecord, report: Metrics) -> None:
        """Tell the scheduler of a report of a trial that it may stop."""
        if judged(record):
            self.judge(record, report)

    def finish(self, record: TrialRecord) -> None:
        """Nothing: the last epoch is no rung."""

    def judge(self, record: TrialRecord, report: Metrics) -> str:
        """Tell the scheduler of a report, and what it says."""
        if record.number not in self._known:
            self._known[record.number] = _Stand(f"{record.number:05d}")
            self._scheduler.on_trial_add(_NoController(), self._known[record.number])
        trial = self._known[record.number]
        if self._config.metric not in report:
            return f"no {self._config.metric} in epoch {report['epoch']}"
        if (
            self._scheduler.on_trial_result(_NoController(), trial, dict(report))
            == TrialScheduler.STOP
        ):
            value = report[self._config.metric]
            name = self._config.name
            return f"{name} at epoch {int(report['epoch'])}: {self._config.metric} {value:g}"
        return ""


def _create(config: AshaConfig | MedianConfig, epochs: int) -> Any:
    mode = MODES[config.direction]
    shared: dict[str, Any] = {"metric": config.metric, "mode": mode, "time_attr": "epoch"}
    if isinstance(config, MedianConfig):
        return MedianStoppingRule(
            grace_period=config.grace_period, min_samples_required=config.min_trials, **shared
        )
    return AsyncHyperBandScheduler(
        max_t=epochs + 1,  # at max_t it stops what is done anyway
        grace_period=config.first_rung(epochs),
        reduction_factor=config.reduction_factor,
        brackets=config.brackets,
        **shared,
    )
