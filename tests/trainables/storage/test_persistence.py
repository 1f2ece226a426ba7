"""Faults of the file system that pass, and one that does not."""

import errno
import os

import pytest

from trainables.storage.persistence import persistently


@pytest.fixture
def failing(monkeypatch):
    """``failing(number, times)``: work that raises that error so often, then returns its calls."""
    monkeypatch.setattr("trainables.storage.persistence.PAUSES", (0, 0, 0, 0))

    def create(number, times):
        calls = []

        def work():
            calls.append(1)
            if len(calls) <= times:
                raise OSError(number, os.strerror(number), "file")
            return len(calls)

        return work, calls

    return create


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT])
def test_a_fault_that_passes_is_not_noticed(failing, number):
    work, _ = failing(number, times=4)

    assert persistently(work) == 5


def test_a_fault_that_stays_is_raised_after_five_attempts(failing):
    work, calls = failing(errno.EIO, times=5)

    with pytest.raises(OSError, match="Input/output error"):
        persistently(work)

    assert len(calls) == 5


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_full_or_closed_disk_is_said_at_once(failing, number):
    work, calls = failing(number, times=1)

    with pytest.raises(OSError, match="file"):
        persistently(work)

    assert len(calls) == 1
