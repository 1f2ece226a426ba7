"""Refreshing beside the loop: not too often, only if a trial ended, and never to its harm."""

import threading
import time

import pytest
from make_records import make_record, make_study

from tuner.records import TrialState
from tuner.running.refresher import Refresher

STUDY = make_study()


class Notes:
    """Remembers what it was called with."""

    def __init__(self, *, fails=0):
        self.seen, self.fails, self.called = [], fails, threading.Semaphore(0)

    def __call__(self, results):
        self.seen.append([record.number for record in results.complete])
        self.called.release()
        if len(self.seen) <= self.fails:
            raise OSError("no space left on device")


@pytest.fixture
def running():
    """Starts refreshers, and stops them afterwards."""
    started = []

    def start(notes, shortest=0.02):
        refresher = Refresher(STUDY, [make_record(0, 0.9, 0.4)], notes, shortest=shortest)
        refresher.start()
        started.append(refresher)
        return refresher

    yield start
    for refresher in started:
        refresher.stop()


def test_the_end_of_a_trial_brings_everything_up_to_date(running):
    notes = Notes()
    refresher = running(notes)

    refresher.update(make_record(1, 0.8, 0.5))

    assert notes.called.acquire(timeout=60)
    assert notes.seen == [[0, 1]]


def test_a_trial_that_only_goes_on_changes_nothing(running):
    notes = Notes()
    refresher = running(notes)

    refresher.update(make_record(1, 0.8, 0.5, state=TrialState.running))
    refresher.update(make_record(0, 0.9, 0.4))

    assert not notes.called.acquire(timeout=0.3)


@pytest.mark.slow
def test_ends_that_come_together_are_one_refresh(running):
    notes = Notes()
    refresher = running(notes, shortest=1)

    for number in range(1, 20):
        refresher.update(make_record(number, 0.8, 0.5))

    assert notes.called.acquire(timeout=60)
    assert notes.seen == [list(range(20))]


def test_a_crash_is_logged_and_tried_again(running, caplog):
    notes = Notes(fails=1)
    refresher = running(notes)

    refresher.update(make_record(1, 0.8, 0.5))

    assert notes.called.acquire(timeout=60)
    assert notes.called.acquire(timeout=60)
    assert "no space left on device" in caplog.text


def test_noting_a_trial_never_waits_for_a_slow_refresh(running):
    free = threading.Event()
    refresher = running(lambda _: free.wait(60))
    refresher.update(make_record(1, 0.8, 0.5))
    time.sleep(0.1)

    began = time.perf_counter()
    refresher.update(make_record(2, 0.8, 0.5))
    took = time.perf_counter() - began
    free.set()

    assert took < 5


def test_stopping_ends_the_thread_at_once_although_its_pause_is_long(running):
    refresher = running(Notes(), shortest=600)

    began = time.perf_counter()
    refresher.stop()

    assert time.perf_counter() - began < 60
    assert not [thread for thread in threading.enumerate() if thread.name == "refresh"]
