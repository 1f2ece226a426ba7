"""How long trials and studies will still take, as far as what was reported says it."""

from collections.abc import Sequence
from datetime import timedelta

from tuner.analysis.costs import SECONDS, seconds
from tuner.records import TrialRecord, TrialState
from tuner.search.remaining import missing
from tuner.study import StudyConfig


def seconds_per_epoch(record: TrialRecord) -> float | None:
    """Mean wall time of an epoch with its validation; None before the first was reported."""
    counted = sum(SECONDS in report for report in record.reports)
    return seconds(record) / counted if counted else None


def trial_seconds_left(record: TrialRecord, now: float) -> float | None:
    """Seconds until the trial's last epoch, if nobody stops it before.

    Args:
        record: a running trial.
        now: seconds since 1970.

    Returns:
        None before its first epoch; at least what the epochs after the present one take.
    """
    each = seconds_per_epoch(record)
    if each is None:
        return None
    begun = now - record.metrics["timestamp"] / 1000
    epochs = int(record.config["epochs"]) - len(record.reports)
    return epochs * each - min(max(begun, 0.0), each)


def study_seconds_left(study: StudyConfig, records: Sequence[TrialRecord]) -> float | None:
    """Seconds until all trials have ended, with as many at once as the study allows.

    A trial to come takes as many epochs as those that ended took on average.

    Returns:
        None before the first epoch of all was reported.
    """
    each = [one for record in records if (one := seconds_per_epoch(record)) is not None]
    if not each:
        return None
    ended = [len(record.reports) for record in records if record.state != TrialState.running]
    usual = sum(ended) / len(ended) if ended else study.base.epochs
    running = [record for record in records if record.state == TrialState.running]
    begun = sum(min(len(record.reports), usual) for record in running)
    epochs = missing(study, records) * usual - begun
    return sum(each) / len(each) * epochs / study.resources.max_concurrent


def clock(duration: float) -> str:
    """Seconds as people read them: ``0:03:12``."""
    return str(timedelta(seconds=round(max(duration, 0.0))))
