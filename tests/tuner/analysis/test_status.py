import io
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from make_records import START, make_record, make_results, make_search, make_study
from rich.console import Console

from tuner.analysis.costs import SECONDS
from tuner.analysis.results import Results
from tuner.analysis.status import Status, as_json, status_of
from tuner.analysis.status_view import show_status
from tuner.records import TrialState
from tuner.storage.directory import StudyDirectory
from tuner.storage.ledger import Ledger

NOW = START.timestamp() + 3600


def status(results, driver=None):
    return Status(StudyDirectory(Path("runs/small")), results, driver, NOW)


def printed(status):
    console = Console(width=80, record=True, file=io.StringIO())
    show_status(status, console)
    return console.export_text()


def timed(results, seconds):
    """Every report took so many seconds."""
    records = [
        replace(r, reports=tuple({**report, SECONDS: seconds} for report in r.reports))
        for r in results.records
    ]
    return Results(results.study, records)


def whole(**settings):
    return make_results((0.9, 0.4), (0.8, 0.5), trials=2, **settings)


def test_a_study_is_running_stopped_finished_or_not_begun():
    states = [
        status(make_search(), driver="4242").state,
        status(make_search()).state,
        status(whole()).state,
        status(make_results()).state,
    ]

    assert states == ["running", "stopped", "finished", "not begun"]


def test_people_see_what_runs_what_failed_and_what_to_do_next():
    text = printed(status(make_search(), driver="4242"))

    assert "digits-small: running (process 4242)" in text
    assert "46 complete, 3 stopped early, 2 failed, 1 running; 52 were asked for" in text
    assert "loss is not finite in epoch 3: nan" in text
    assert "<tried> 2 GiB & more" in text
    assert "3 stopped early: rank 5 of 9 at rung 4; the best 3 go on" in text
    assert text.rstrip().endswith("look at its front so far: tuner front runs/small")


def test_a_study_that_nobody_runs_says_since_when_and_how_to_go_on():
    text = printed(status(make_search()))

    assert "digits-small: stopped, the last change was" in text
    assert "1 unfinished" in text
    assert text.rstrip().endswith("go on with: tuner resume runs/small")


def test_a_study_without_trials_says_so():
    text = printed(status(make_results()))

    assert "digits-small: not begun; nothing runs" in text
    assert "trials: 30 to come; 30 were asked for" in text


def test_the_cost_says_how_much_went_into_trials_without_a_result():
    study = timed(make_search(), 3600.0)

    found = as_json(status(study))["hours"]

    assert (found["of"], found["complete"], found["stopped"], found["failed"]) == ("cpu", 46, 3, 0)
    assert "50 CPU place hours, 3 of them in trials that were stopped or failed" in printed(
        status(study)
    )


def test_a_study_that_reported_no_time_says_so():
    assert "how long they took was not reported" in printed(status(make_search()))


def test_programs_get_the_same_as_json():
    found = json.loads(json.dumps(as_json(status(make_search(), driver="7"))))

    assert found["trials"] == {
        "asked": 52,
        "running": 1,
        "complete": 46,
        "stopped": 3,
        "failed": 2,
        "to_come": 0,
    }
    assert found["driver"] == "7"
    assert [failure["trial"] for failure in found["failures"]] == [7, 19]
    assert [trial["trial"] for trial in found["running"]] == [47]
    assert all(row["on_front"] for row in found["front"])


@pytest.fixture
def place(tmp_path):
    directory = StudyDirectory(tmp_path / "runs" / "digits-small")
    study = make_study(trials=2)
    directory.claim(study)
    Ledger(study, directory.path)
    return directory


def test_the_driver_is_whoever_holds_the_lock(place):
    before = status_of(place).driver
    with place.lock():
        during = status_of(place)
    after = status_of(place)

    assert (before, after.driver) == (None, None)
    assert (during.driver, during.state) == (str(os.getpid()), "running")


def test_looking_leaves_the_study_free(place):
    place.driver()

    with place.lock():
        pass


def test_an_unfinished_trial_is_not_running_without_a_driver():
    record = make_record(0, 0.5, 0.1, state=TrialState.running)

    text = printed(status(Results(make_study(trials=2), [record])))

    assert "1 unfinished, 1 to come; 2 were asked for" in text
