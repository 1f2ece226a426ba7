"""What a disk or a database refuses, told in a sentence that says how to go on."""

import errno
import logging
import os
from pathlib import Path

import pytest
from make_records import make_record
from optuna.exceptions import StorageInternalError
from ray.tune.error import TuneError

from tuner.running.recorder import Recorder
from tuner.storage.stopping import StorageFailedError, told_in_a_sentence

STUDY = Path("runs/small")
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "runs/small/optuna.journal")


def raise_it(error):
    raise error


def raise_in_ray(error):
    """As Ray's loop passes on what its callbacks raise: as text, the error itself is behind it."""
    try:
        raise error
    except Exception:
        raise TuneError("Traceback (most recent call last): …")  # noqa: B904


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FULL, r"stopped: cannot use runs/small/optuna\.journal \(No space left on device\)"),
        (OSError(errno.ENOSPC, "No space left on device"), "stopped: No space left on device"),
        (StorageFailedError("trial 3 cannot store its state"), "stopped: trial 3 cannot store"),
        (StorageInternalError("gone\nmore"), r"its storage does not answer \(gone\)"),
    ],
)
@pytest.mark.parametrize("fail", [raise_it, raise_in_ray])
def test_one_sentence_says_what_is_refused_and_that_the_command_goes_on(error, words, fail):
    with pytest.raises(StorageFailedError, match=words) as raised, told_in_a_sentence(STUDY):
        fail(error)

    assert str(raised.value).startswith("study runs/small stopped: ")
    assert str(raised.value).endswith("then the same command goes on")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "error", [ConnectionError("MLflow does not answer"), TuneError("ours"), ValueError("a rule")]
)
def test_what_no_disk_refused_is_left_as_it_is(error):
    with pytest.raises(type(error)) as raised, told_in_a_sentence(STUDY):
        raise error

    assert raised.value is error


class Refused:
    """A watcher whose disk is full."""

    def update(self, _):
        raise FULL


class Seeing:
    """A watcher that keeps what it is told."""

    def __init__(self):
        self.records = []

    def update(self, record):
        self.records.append(record)


def test_a_watcher_that_cannot_write_stops_neither_the_study_nor_the_others(caplog):
    seeing = Seeing()
    record = make_record(3, 0.9, 0.4)

    with caplog.at_level(logging.WARNING):
        Recorder(None, [Refused(), seeing])._tell(record)

    assert seeing.records == [record]
    assert "trial 3: [Errno 28] No space left on device" in caplog.text
