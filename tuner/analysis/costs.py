"""What trials cost: seconds of the place that each of them held."""

from collections.abc import Iterable

from tuner.records import TrialRecord
from tuner.study import StudyConfig

SECONDS = "cost/seconds"
"""Wall time of an epoch with its validation; what a trial reports."""


def seconds(record: TrialRecord) -> float:
    """Wall time in which the trial trained and was measured, over all its processes."""
    return sum(report.get(SECONDS, 0.0) for report in record.reports)


def gpu_seconds(study: StudyConfig, record: TrialRecord) -> float:
    """Seconds times the share of GPUs that the trial held; 0 on CPUs."""
    return seconds(record) * study.resources.gpus * study.resources.workers


def hours(study: StudyConfig, records: Iterable[TrialRecord]) -> float:
    """Hours of GPUs that trials held together; hours of CPU places where the study has no GPU."""
    return study.resources.share * sum(map(seconds, records)) / 3600
