"""Which trials take part in early stopping."""

from tuner.records import TrialRecord


def judged(record: TrialRecord) -> bool:
    """Whether a trial can be stopped early at all.

    Baselines and the paper's setting are there to be compared with, and a replicate repeats a
    config that has passed: they neither stop nor count at a rung.
    """
    return record.label == "searched" and record.repeats is None
