"""The verbs that look at a study, on one that Ray has really run."""

import json

import pytest
from run_tuner import EPOCHS, TRIALS, records, verb

pytestmark = pytest.mark.end_to_end


def test_status_knows_what_a_finished_study_cost(finished):
    folder, _ = finished

    shown = verb(folder, "status", "dig")
    found = json.loads(verb(folder, "status", "digits", "--json").stdout)

    assert shown.returncode == 0, shown.stderr
    assert "digits: finished" in shown.stdout
    assert f"trials: {TRIALS} complete; {TRIALS} were asked for" in shown.stdout
    assert (found["state"], found["driver"], found["seconds_left"]) == ("finished", None, 0)
    assert found["epochs"] == TRIALS * EPOCHS
    assert 0 < found["hours"]["complete"] < 1


def test_the_front_as_json_is_that_of_the_ledger(finished):
    folder, _ = finished

    found = json.loads(verb(folder, "front", "digits", "--format", "json").stdout)

    values = {r.number: r.values for r in records(folder)}
    for row in found["trials"]:
        own = values[row["trial"]]
        assert {metric: row[metric] for metric in own} == own


def test_the_students_of_a_study_are_compared(finished):
    folder, _ = finished

    result = verb(folder, "compare", "digits", "--by", "student")

    assert result.returncode == 0, result.stderr
    found = json.loads((folder / "runs" / "compare-digits-by-student.json").read_text())
    assert sum(front["configs"] for front in found["fronts"]) == TRIALS
    assert (folder / "runs" / "compare-digits-by-student.png").stat().st_size > 10_000


def test_the_report_says_on_what_and_with_which_code_it_ran(finished):
    folder, _ = finished

    result = verb(folder, "report", "digits", "--output", "page.html")

    page = (folder / "page.html").read_text()
    assert result.returncode == 0, result.stderr
    for fact in ("wall time of the last session", "commit", "torch 2.", "cpu, "):
        assert fact in page
    assert "CPU place hours" in page
    verified = (folder / "runs/digits/verification/verification.json").is_file()
    assert ("Not verified." in page) is not verified  # another test may have verified it


def test_a_finished_study_is_told_to_programs_in_one_line(finished):
    folder, _ = finished

    told = verb(folder, "resume", "digits", "--json")
    quiet = verb(folder, "resume", "digits", "--quiet")

    (line,) = told.stdout.splitlines()
    end = json.loads(line)
    assert (end["event"], end["trials"]["complete"], end["mlflow"]["synced"]) == (
        "study",
        TRIALS,
        True,
    )
    assert (folder / end["paths"]["report"]).is_file()
    assert (told.stderr, quiet.stderr) == ("", "")
    names = [text.partition(":")[0] for text in quiet.stdout.splitlines()]
    assert names[:4] == ["plot", "interactive", "configs", "report"]
    assert "tuner ui runs/digits" in quiet.stdout
