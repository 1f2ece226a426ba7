import io
from dataclasses import replace

import pytest
from make_records import make_record, make_study
from rich.console import Console

from tuner.progress import Progress
from tuner.records import TrialState


@pytest.fixture
def shown():
    """``shown(terminal)``: a progress on a study of four trials, and the text it wrote."""

    def create(terminal):
        text = io.StringIO()
        console = Console(file=text, force_terminal=terminal, width=100)
        return Progress(make_study().model_copy(update={"trials": 4}), [], console), text

    return create


def running(number, epochs):
    record = make_record(number, 0.9, 0.4, state=TrialState.running)
    report = {"val/clean_accuracy": 0.9, "val/robust_accuracy": 0.4}
    return replace(record, reports=tuple({**report, "epoch": e + 1} for e in range(epochs)))


def test_without_a_terminal_there_is_a_line_for_every_end_and_no_other(shown):
    progress, text = shown(False)

    progress.start()
    progress.update(running(0, 1))
    progress.draw()
    progress.update(make_record(0, 0.9, 0.4))
    progress.update(make_record(1, state=TrialState.failed, reason="diverged: NaN"))
    progress.stop()

    first, second = text.getvalue().splitlines()
    assert "1/4 trials done" in first
    assert "clean accuracy 90.0%, robust accuracy 40.0%" in first
    assert "2/4 trials done, 0 running, 1 failed" in second
    assert "diverged: NaN" in second


def test_on_a_terminal_the_running_trials_and_the_front_are_drawn(shown, monkeypatch):
    monkeypatch.setattr("tuner.progress.REDRAW_SECONDS", -1)
    progress, text = shown(True)

    progress.start()
    progress.update(make_record(0, 0.9, 0.4))
    progress.update(running(1, 3))
    progress.draw()
    drawn = text.getvalue()
    progress.stop()

    assert "1/4 trials done, 1 running" in drawn
    assert "3/12" in drawn
    assert "front so far" in drawn


def test_time_left_is_known_after_the_first_epoch(shown):
    progress, _ = shown(False)

    before = progress.counts()
    progress.update(running(0, 1))

    assert "time left unknown" in before
    assert "left unknown" not in progress.counts()


def test_a_study_without_trials_left_has_no_time_left(shown):
    progress, _ = shown(False)
    for number in range(4):
        progress.update(make_record(number, 0.9, 0.4))

    assert "about 0:00:00 left" in progress.counts()
