import io
import json
from dataclasses import replace

import pytest
from make_records import make_record, make_study
from rich.console import Console

from tuner.analysis.costs import SECONDS
from tuner.records import TrialState
from tuner.running.live_view import live_view
from tuner.running.progress import JsonProgress, SilentProgress, create_progress
from tuner.running.tally import Tally

NOW = 1.77e9


@pytest.fixture
def shown():
    """``shown(terminal)``: a progress on a study of four trials, and the text it wrote."""

    def create(terminal, height=24):
        text = io.StringIO()
        console = Console(file=text, force_terminal=terminal, width=80, height=height)
        return create_progress(four_trials(), [], console), text

    return create


def four_trials():
    return make_study().model_copy(update={"trials": 4})


def running(number, epochs, **extra):
    record = make_record(number, 0.9, 0.4, state=TrialState.running)
    report = {"val/clean_accuracy": 0.9, "val/robust_accuracy": 0.4, "timestamp": NOW * 1000}
    reports = tuple({**report, **extra, "epoch": e + 1} for e in range(epochs))
    return replace(record, reports=reports)


def lines(tally, width=80, height=24):
    console = Console(width=width, height=height, record=True, file=io.StringIO())
    console.print(live_view(tally, width, height, now=NOW))
    return console.export_text().splitlines()


def many(ended, under_way):
    records = [make_record(i, 0.9 - 0.001 * i, 0.4 + 0.0005 * i) for i in range(ended)]
    return Tally(
        make_study(trials=1000), records + [running(ended + i, 3) for i in range(under_way)]
    )


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
    assert "90.0 % clean accuracy, 40.0 % robust accuracy" in first
    assert "2/4 trials done, 0 running, 1 failed" in second
    assert "diverged: NaN" in second


def test_on_a_terminal_the_running_trials_and_the_front_are_drawn_and_taken_back(shown):
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
    assert "\x1b[1A\x1b[2K" in text.getvalue()[len(drawn) :]


def test_a_terminal_is_not_redrawn_more_often_than_anyone_can_see(shown, monkeypatch):
    monkeypatch.setattr("tuner.running.progress.REDRAW_SECONDS", 60)  # a busy machine draws slowly
    progress, text = shown(True)
    progress.start()
    progress.draw()
    drawn = text.getvalue()

    progress.draw()

    assert text.getvalue() == drawn


def test_json_is_an_object_per_ending_with_the_counts():
    text = io.StringIO()
    progress = JsonProgress(Tally(four_trials(), []), Console(file=text, width=40))

    progress.start()
    progress.update(running(0, 1))
    progress.update(make_record(0, 0.9, 0.4))
    progress.update(make_record(1, state=TrialState.failed, reason="diverged: NaN"))
    progress.draw()
    progress.stop()

    first, second = map(json.loads, text.getvalue().splitlines())
    assert (first["trial"], first["state"], first["num_complete"]) == (0, "complete", 1)
    assert first["values"] == {"val/clean_accuracy": 0.9, "val/robust_accuracy": 0.4}
    assert (second["reason"], second["num_failed"], second["values"]) == ("diverged: NaN", 1, {})


def test_quiet_is_quiet(capsys):
    progress = SilentProgress()

    progress.start()
    progress.update(make_record(0, 0.9, 0.4))
    progress.draw()
    progress.stop()

    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("size", [(80, 24), (60, 14), (40, 8), (200, 60)])
@pytest.mark.parametrize("tally", [many(0, 0), many(0, 3), many(30, 0), many(300, 64)])
def test_the_picture_fits_any_terminal_without_scrolling(tally, size):
    width, height = size

    drawn = lines(tally, width, height)

    assert len(drawn) <= height - 1
    assert max(len(line.rstrip()) for line in drawn) <= width


def test_a_terminal_of_80_by_24_has_room_for_trials_front_and_axes():
    drawn = "\n".join(lines(many(30, 2)))

    assert "30/1000 trials done, 2 running" in drawn
    assert "front so far: 30 of 30 configs" in drawn
    assert "robust accuracy, %" in drawn
    assert "clean accuracy, %" in drawn
    assert "more" in drawn  # of the front, which is longer than the table


def test_more_running_trials_than_lines_are_counted():
    assert any("59 more" in line for line in lines(many(0, 64)))


def test_a_trial_without_a_report_has_no_numbers_and_no_time():
    row = lines(Tally(four_trials(), [running(0, 0)]))[2]

    assert row.split()[-3:] == ["-", "-", "-"]


def test_the_time_left_of_a_trial_is_that_of_its_epochs_to_come():
    tally = Tally(four_trials(), [running(0, 3, **{SECONDS: 10.0})])

    assert lines(tally)[2].split()[-1] == "0:01:30"


def test_markup_in_a_name_is_shown_and_not_obeyed():
    record = replace(running(0, 1), teacher="[red]x[/red]")

    assert any("[red]x[/red]" in line for line in lines(Tally(four_trials(), [record])))


def test_the_front_is_computed_once_until_a_trial_ends():
    tally = many(10, 1)
    before = tally.results

    tally.update(running(10, 4))
    meanwhile = tally.results
    tally.update(make_record(10, 0.99, 0.6))

    assert meanwhile is before
    assert [record.number for record in tally.results.front] == [10]


def test_time_left_is_known_after_the_first_epoch():
    tally = Tally(four_trials(), [])

    before = tally.counts()
    tally.update(running(0, 1))

    assert "time left unknown" in before
    assert "left unknown" not in tally.counts()


def test_a_study_that_goes_on_knows_its_time_left_from_earlier_sessions():
    study = make_study(trials=4, base={"epochs": 12}, scheduler={"name": "fifo"})

    tally = Tally(study, [running(0, 6, **{SECONDS: 10.0})])

    assert "about 0:03:30 left" in tally.counts()  # 42 epochs of 10 s, two trials at a time


def test_a_study_without_trials_left_has_no_time_left():
    tally = Tally(four_trials(), [])
    for number in range(4):
        tally.update(make_record(number, 0.9, 0.4))

    assert "about 0:00:00 left" in tally.counts()
