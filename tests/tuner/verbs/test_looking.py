"""The verbs that look at studies, on one that was written without training anything."""

import csv
import io
import json
import math

import pytest
from make_records import make_record, make_study
from typer.testing import CliRunner
from written_study import write_results, write_study

from tuner.analysis.results import Results
from tuner.cli import app
from tuner.records import TrialState
from tuner.search.search import Search
from tuner.storage.directory import StudyDirectory
from tuner.storage.ledger import Ledger

TRIALS = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with two studies in ``runs``: twelve complete trials, and one just begun."""
    folder = tmp_path_factory.mktemp("looking")
    for name, trials in (("digits", TRIALS), ("begun", 0)):
        place = StudyDirectory(folder / "runs" / name)
        study = make_study(
            name=name,
            trials=TRIALS,
            base={"epochs": 1},
            teachers={"wide": {"architecture": "small_resnet8"}},
            first_trials=[],
            tracking={"enabled": False},
            resources={"min_free_disk_gb": 0},
        )
        place.claim(study)
        search = Search(study, Ledger(study, place.path), patience=math.inf)
        for turn in range(trials):
            search.report(search.ask().number, report(turn), done=True)
    return folder


def report(turn):
    return {
        "epoch": 1,
        "val/clean_accuracy": 0.9 - 0.01 * turn,
        "val/robust_accuracy": 0.3 + 0.02 * math.sin(turn),
        "val/count": 300,
        "cost/seconds": 36.0,
    }


@pytest.fixture
def tuner(folder, monkeypatch):
    """``tuner("front", …)``: run a verb in the folder; returns exit code, output and errors."""
    monkeypatch.chdir(folder)

    def run(*arguments):
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        return result.exit_code, result.stdout, result.stderr

    return run


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ("status", "dig"),
        ("front", "digits"),
        ("importance", "runs/digits"),
        ("compare", "dig", "--by", "student"),
        ("report", "d"),
        ("ls",),
    ],
)
def test_every_verb_shows_something_and_says_where_to_look_next(tuner, arguments):
    code, output, errors = tuner(*arguments)

    assert (code, errors) == (0, "")
    assert "digits" in output
    assert "runs/" in output.splitlines()[-1]


def test_the_front_as_csv_is_csv_and_nothing_else(tuner):
    _, output, _ = tuner("front", "digits", "--format", "csv")

    rows = list(csv.DictReader(io.StringIO(output)))
    assert rows[0]["val/clean_accuracy"] == "0.9"
    assert {row["on_front"] for row in rows} == {"True"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("front", "digits", "--format", "json"),
        ("status", "digits", "--json"),
        ("ls", "--json"),
        ("importance", "digits", "--format", "json", "--evaluator", "ped-anova"),
    ],
)
def test_json_is_json_and_nothing_else(tuner, arguments):
    code, output, errors = tuner(*arguments)

    assert (code, errors) == (0, "")
    assert "digits" in json.dumps(json.loads(output))


def test_importance_as_csv_has_a_column_per_objective(tuner):
    _, output, _ = tuner("importance", "digits", "--format", "csv")

    assert output.splitlines()[0] == "parameter,val/clean_accuracy,val/robust_accuracy"


def test_compare_writes_a_picture_and_the_numbers(tuner, folder):
    code, _, _ = tuner("compare", "digits", "--by", "student", "--output", "both.png")

    found = json.loads((folder / "both.json").read_text())
    assert code == 0
    assert (folder / "both.png").read_bytes().startswith(b"\x89PNG")
    assert sum(front["configs"] for front in found["fronts"]) == TRIALS


def test_studies_whose_folders_have_one_name_are_told_apart_by_their_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("first", "second"):
        record = make_record(0, 0.9, 0.4, teacher="")
        write_results(Results(make_study(trials=1), [record]), tmp_path / folder / "runs/digits")

    result = CliRunner().invoke(app, ["compare", "first/runs/digits", "second/runs/digits"])

    found = json.loads(
        (tmp_path / "runs/compare-first-runs-digits-vs-second-runs-digits.json").read_text()
    )
    assert result.exit_code == 0, result.stderr
    assert [one["name"] for one in found["fronts"]] == ["first/runs/digits", "second/runs/digits"]


def test_the_report_goes_where_it_is_asked_to_and_names_the_study(tuner, folder):
    code, output, _ = tuner("report", "digits", "--output", "out/page.html")

    page = (folder / "out" / "page.html").read_text()
    assert (code, "report: out/page.html" in output) == (0, True)
    assert "tuner resume" not in page
    assert "tuner run runs/digits/study.yaml" in page
    assert "0.12" in page  # CPU place hours


@pytest.mark.slow
def test_a_finished_study_is_told_to_programs_in_one_line(tuner):
    code, output, errors = tuner("resume", "digits", "--json")

    (line,) = output.splitlines()
    end = json.loads(line)
    assert (code, errors, end["event"], end["mlflow"]) == (0, "", "study", None)
    assert end["trials"]["complete"] == TRIALS
    assert [row["trial"] for row in end["front"] if row["knee"]] == [end["knee"]]
    assert end["paths"]["report"] == "runs/digits/report.html"


@pytest.mark.slow
def test_quiet_names_the_places_to_look_at_and_nothing_else(tuner):
    code, output, errors = tuner("resume", "digits", "--quiet")

    assert (code, errors) == (0, "")
    names = [line.partition(":")[0] for line in output.splitlines()]
    assert names == ["plot", "interactive", "configs", "report"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("status", "digist"), "did you mean 'digits'?"),
        (("front", "runs/nothing"), "holds no study; runs holds runs/begun, runs/digits"),
        (("importance", "begun"), "importance needs at least 8 complete searched trials"),
        (("compare", "digits"), "has nothing to be compared with"),
        (("compare", "digits", "runs/digits"), "has nothing to be compared with"),
        (("compare", "digits", "begun"), "begun has no complete trial yet"),
        (("compare", "digits", "begun", "--by", "student"), "parts of one study, got 2"),
        (("compare", "digits", "--by", "teacher"), "fewer than two teachers"),
        (("compare", "digits", "--by", "student", "--output", "runs"), "must end in .png"),
        (("report", "digits", "--output", "runs"), "--output runs is a directory"),
        (("report", "digits", "--output", "runs/digits/study.yaml"), "must end in .html"),
        (("run", "digits", "--quiet", "--json"), "exclude each other"),
        (("ls", "runs/digits"), "is itself a study; look at it with: tuner status runs/digits"),
        (("resume", "nothing"), "unknown study 'nothing'"),
        (("diagnose", "nothing"), "unknown study 'nothing'"),
        (("sync", "nothing"), "unknown study 'nothing'"),
    ],
)
def test_what_cannot_be_is_one_sentence_with_exit_code_2(tuner, arguments, words):
    code, output, errors = tuner(*arguments)

    assert (code, output) == (2, "")
    assert errors.count("\n") == 1
    assert words in errors


def test_a_study_that_has_only_begun_can_be_looked_at(tuner):
    for verb in ("status", "front", "report"):
        code, output, errors = tuner(verb, "begun")

        assert (code, errors) == (0, "")
        assert "runs/begun" in output.splitlines()[-1]


@pytest.fixture
def beside_a_broken_study(tmp_path, monkeypatch):
    """A whole study with brackets in its folder's name, and files that are no studies."""
    monkeypatch.chdir(tmp_path)
    write_study(tmp_path / "runs")
    (tmp_path / "runs/small").rename(tmp_path / "runs/a[v2]")
    for name, content in (("empty", b""), ("half", b"name: [ha"), ("bytes", b"\xff\xfe")):
        (tmp_path / "runs" / name).mkdir()
        (tmp_path / "runs" / name / "study.yaml").write_bytes(content)


@pytest.mark.usefixtures("beside_a_broken_study")
def test_a_broken_study_hides_no_other():
    listed = CliRunner().invoke(app, ["ls"])
    rows = json.loads(CliRunner().invoke(app, ["ls", "--json"]).stdout)
    shown = CliRunner().invoke(app, ["front", "smal"])

    assert [result.exit_code for result in (listed, shown)] == [0, 0], shown.output
    assert listed.stdout.count("not readable: runs/") == 3
    assert [row.get("study") for row in rows] == ["small", None, None, None]


@pytest.mark.usefixtures("beside_a_broken_study")
def test_brackets_in_a_path_are_no_markup():
    shown = CliRunner().invoke(app, ["front", "small"]).stdout

    assert "tuner report runs/a[v2]" in shown


def test_a_file_that_cannot_be_written_is_one_sentence(tuner, folder):
    (folder / "file").touch()

    for verb, file in (
        (("report", "digits"), "file/x.html"),
        (("compare", "digits", "--by", "student"), "file/x.png"),
    ):
        code, _, errors = tuner(*verb, "--output", file)
        assert (code, "name another place with --output" in errors) == (2, True), errors


def test_a_study_whose_trials_were_all_stopped_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stopped = make_record(0, 0.5, 0.1, state=TrialState.stopped, reason="rank 5 of 9", teacher="")
    write_results(Results(make_study(trials=1), [stopped]), tmp_path / "runs/x")

    shown = CliRunner().invoke(app, ["front", "x"]).stdout
    refused = CliRunner().invoke(app, ["export", "x"]).stderr

    assert "no trial completed: trial 0 stopped: rank 5 of 9" in shown
    assert "has no complete trial yet (1 stopped early), so there is no front" in refused


def test_the_front_of_an_unfinished_study_says_how_far_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_results(
        Results(make_study(trials=6), [make_record(0, 0.9, 0.4, teacher="")]), tmp_path / "runs/x"
    )

    shown = CliRunner().invoke(app, ["front", "x"]).stdout

    assert "so far: 1 of 6 trials have ended" in " ".join(shown.split())
