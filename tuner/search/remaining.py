"""How many trials a study still needs."""

from collections.abc import Iterable, Sequence

from tuner.records import Cause, TrialRecord, TrialState
from tuner.study import StudyConfig


def is_made_good(record: TrialRecord) -> bool:
    """Whether another trial takes the place of one that was lost with its worker; once only.

    A config whose second trial kills its workers, too, is not tried a third time.
    """
    return record.cause == Cause.worker_died and record.retries is None


def wanted(study: StudyConfig, records: Iterable[TrialRecord]) -> int:
    """Trials that the ledger holds when the study is done: those asked for and those made good."""
    return study.trials + sum(map(is_made_good, records))


def missing(study: StudyConfig, records: Sequence[TrialRecord]) -> int:
    """Trials that have not ended, begun or not."""
    running = sum(record.state == TrialState.running for record in records)
    return max(0, wanted(study, records) - len(records)) + running
