"""The study's journal on a disk that is full, fails now and then, or lost its writer."""

import errno
import os
import resource
from contextlib import contextmanager

import pytest

from tuner.search.proposer import Proposer
from tuner.storage.ledger import Ledger
from tuner.storage.opening import JOURNAL
from tuner.study import StudyConfig

STUDY = StudyConfig.model_validate(
    {
        "name": "journal",
        "trials": 9,
        "base": {"student": {"architecture": "small_resnet6"}},
        "teachers": {"resnet": {"architecture": "small_resnet8"}},
        "ranges": {"student/architecture": ["small_resnet6"]},
        "sampler": {"name": "random"},
    }
)
REPORTS = [{"epoch": epoch, "val/clean_accuracy": 0.1 * epoch} for epoch in range(1, 5)]


@pytest.fixture
def ledger(tmp_path):
    """With one trial."""
    ledger = Ledger(STUDY, tmp_path)
    ledger.enter(Proposer(STUDY).next())
    return ledger


@contextmanager
def room_for(path, size):
    """The kernel takes so many more bytes in the file, then refuses, in the middle of a line."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def epochs(folder):
    """What somebody finds who opens the journal anew."""
    (record,) = Ledger(STUDY, folder).records()
    return [report["epoch"] for report in record.reports]


def test_a_line_that_does_not_fit_leaves_no_trace_and_the_next_one_is_whole(ledger, tmp_path):
    journal = tmp_path / JOURNAL
    ledger.report(0, REPORTS[0])
    before = journal.read_bytes()

    with room_for(journal, 40), pytest.raises(OSError, match="File too large") as raised:
        ledger.report(0, REPORTS[1])
    refused = journal.read_bytes()
    ledger.report(0, REPORTS[2])
    ledger.report(0, REPORTS[3])

    assert raised.value.filename == str(journal)
    assert refused == before
    assert epochs(tmp_path) == [1, 3, 4]


def test_half_a_line_of_a_dead_writer_is_cut_off_by_the_next(ledger, tmp_path):
    ledger.report(0, REPORTS[0])
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(b'{"op_code":8,"worker_id":"dead","tri')

    again = Ledger(STUDY, tmp_path)
    again.report(0, REPORTS[1])
    again.report(0, REPORTS[2])

    assert epochs(tmp_path) == [1, 2, 3]


@pytest.mark.parametrize("call", ["pwrite", "fsync"])
def test_a_fault_that_passes_neither_loses_nor_doubles_a_line(ledger, tmp_path, monkeypatch, call):
    real, calls = getattr(os, call), []

    def every_third_fails(*arguments):
        calls.append(1)
        if len(calls) % 3 == 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(*arguments)

    monkeypatch.setattr(os, call, every_third_fails)
    for report in REPORTS:
        ledger.report(0, report)
    monkeypatch.undo()

    lines = (tmp_path / JOURNAL).read_text().splitlines()
    assert len(calls) > len(REPORTS)
    assert len(lines) == len(set(lines))
    assert epochs(tmp_path) == [1, 2, 3, 4]


def test_a_journal_that_was_taken_away_is_not_begun_anew(ledger, tmp_path):
    (tmp_path / JOURNAL).rename(tmp_path / "elsewhere")

    with pytest.raises(FileNotFoundError):
        ledger.report(0, REPORTS[0])

    assert not (tmp_path / JOURNAL).exists()
