"""The journal file of a study: lines are appended whole or not at all."""

import fcntl
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._base import BaseJournalBackend

from trainables.storage.persistence import persistently


class Journal(BaseJournalBackend):
    """Optuna's format and reader with a writer that survives faults of the file system.

    Optuna's own writer leaves half a line where a disk is full, so that the next line completes
    the damage; writes a line and says that it failed, where only flushing fails; and keeps its
    lock when its process is killed.

    Args:
        path: the file; made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader = JournalFileBackend(str(path))  # its lock is used by its writer alone

    def read_logs(self, log_number_from: int) -> Any:
        """Lines from a number on, as dictionaries; half a line at the end is left out."""
        return self._reader.read_logs(log_number_from)

    def append_logs(self, logs: Sequence[Mapping[str, Any]]) -> None:
        """Add lines and flush them to the disk.

        Raises:
            OSError: naming the file; nothing was added then.
        """
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode()
        try:
            persistently(lambda: self._append(lines))
        except OSError as error:
            if error.errno is None:
                raise
            raise OSError(error.errno, os.strerror(error.errno), str(self._path)) from error

    def _append(self, lines: bytes) -> None:
        # O_CREAT is not given: a journal that somebody has taken away must not begin anew
        file = os.open(self._path, os.O_RDWR)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            end = _whole(file)
            try:
                _write(file, lines, end)
            except BaseException:
                with suppress(OSError):  # else the next writer does it
                    os.ftruncate(file, end)
                raise
        finally:
            os.close(file)


def _whole(file: int) -> int:
    """Where the last whole line ends, in bytes; what is behind it is cut off."""
    size = os.fstat(file).st_size
    if size == 0 or os.pread(file, 1, size - 1) == b"\n":
        return size
    end = os.pread(file, size, 0).rfind(b"\n") + 1
    os.ftruncate(file, end)
    return end


def _write(file: int, lines: bytes, end: int) -> None:
    while lines:
        written = os.pwrite(file, lines, end)
        lines, end = lines[written:], end + written
    os.fsync(file)
