"""The process that runs a study on this machine, and its end."""

import fcntl
import signal
import time
from contextlib import suppress
from pathlib import Path

import psutil

from tuner.storage.directory import LOCK, StudyDirectory

LAST_PATIENCE = 20.0
"""Seconds after SIGTERM."""


def driver_of(directory: StudyDirectory) -> int | None:
    """Process id of the study's driver, on whatever machine it is; None if nobody runs the study.

    0 if somebody does whose number is not to be read.
    """
    path = directory.path / LOCK
    if not path.is_file():
        return None
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            written = file.read().strip()
            return int(written) if written.isdigit() else 0
    return None


def stop_driver(directory: StudyDirectory, *, patience: float) -> str:
    """Interrupt the study's driver, as Ctrl-C would, and wait until it has ended.

    Args:
        directory: of the study.
        patience: seconds after SIGINT; then comes SIGTERM, which loses nothing but the epochs since
            the last checkpoint.

    Returns:
        The signal that ended it: ``SIGINT``, or ``SIGTERM``.

    Raises:
        ValueError: if nobody runs the study, or a process of another machine does.
        TimeoutError: if it does not end.
    """
    driver = _local(directory)
    for sent, seconds in ((signal.SIGINT, patience), (signal.SIGTERM, LAST_PATIENCE)):
        with suppress(psutil.NoSuchProcess):
            driver.send_signal(sent)
        if _ends(driver, seconds):
            return sent.name
    raise TimeoutError(
        f"process {driver.pid} of study {directory} has not ended {patience:g} s after SIGINT "
        f"and {LAST_PATIENCE:g} s after SIGTERM; kill -9 {driver.pid} loses nothing that is stored"
    )


def _ends(process: psutil.Process, seconds: float) -> bool:
    """Whether it does within so many seconds; one whose parent has not looked yet has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.1)
    return False


def _local(directory: StudyDirectory) -> psutil.Process:
    """The driver; a process of this number that does not hold the lock is somebody else."""
    pid = driver_of(directory)
    if pid is None:
        raise ValueError(
            f"nobody runs study {directory}; go on with it with: tuner resume {directory}"
        )
    try:
        process = psutil.Process(pid)
        if _holds(process, (directory.path / LOCK).resolve()):
            return process
    except psutil.Error:
        pass
    raise ValueError(
        f"study {directory} is being run by process {pid or 'of unknown number'} of another "
        "machine or user; run tuner stop there"
    )


def _holds(process: psutil.Process, lock: Path) -> bool:
    return any(Path(file.path) == lock for file in process.open_files())
