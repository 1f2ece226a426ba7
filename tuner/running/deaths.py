"""What Ray says of a trial's process that died."""

from ray.tune.experiment import Trial

from tuner.records import Cause

FAILURE = "Failure # "
KILLED_FOR_MEMORY = "running low on memory"
"""Of Ray's memory monitor, which kills a process before the kernel has to. A death by the kernel
itself looks like any other."""


def last_words(trial: Trial) -> str:
    """What Ray wrote down when the trial's process died for the last time; empty if nothing."""
    written = trial.get_error()
    return "" if written is None else str(written).rpartition(FAILURE)[2].strip()


def out_of_memory(words: str) -> str:
    """Why the trial failed, if Ray killed its process to save the machine; else empty."""
    for line in words.splitlines():
        if KILLED_FOR_MEMORY in line:
            return f"{Cause.out_of_memory}: {line.strip()}"
    return ""
