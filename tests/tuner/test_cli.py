"""The command line without Ray: what it refuses, and how."""

import json
import math

import pytest
import torch
import yaml
from typer.testing import CliRunner

from trainables.models import create_network
from tuner.cli import app
from tuner.records import Cause
from tuner.search.search import Search
from tuner.storage.directory import StudyDirectory
from tuner.storage.ledger import Ledger
from tuner.study import StudyConfig
from tuner.study_file import find_study


@pytest.fixture
def tuner(tmp_path, monkeypatch):
    """``tuner("run", …)``: run a verb in an empty folder; returns exit code and all output."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        return result.exit_code, result.output

    return run


@pytest.fixture
def study_file(tmp_path):
    """``study_file(**changes)``: the digits study with some parts replaced."""

    def create(**changes):
        content = yaml.safe_load(find_study("digits").read_text())
        path = tmp_path / "study.yaml"
        path.write_text(yaml.safe_dump({**content, **changes}))
        return path

    return create


def teacher(checkpoint, architecture="small_resnet8"):
    return {"file": {"architecture": architecture, "checkpoint": str(checkpoint)}}


def test_help_lists_the_verbs(tuner):
    code, output = tuner("--help")

    assert code == 0
    for verb in ("run", "resume", "ls", "front", "export", "train", "evaluate", "ui", "schema"):
        assert f" {verb} " in output


def test_a_dry_run_shows_study_and_trials_and_writes_nothing(tuner, tmp_path):
    code, output = tuner("run", "digits", "--dry-run")

    assert code == 0
    assert "epsilon: 0.2" in output
    assert "hardware on this machine: cpu, float32" in output
    assert "paper" in output
    assert "plain KD" in output
    assert list(tmp_path.iterdir()) == []


def test_the_schema_accepts_what_the_models_accept(tuner):
    _, output = tuner("schema")

    schema = json.loads(output)

    assert schema["title"] == "StudyConfig"
    assert {"name", "trials", "base", "teachers"} <= set(schema["properties"])


def test_a_wrong_value_is_one_red_sentence_with_exit_code_2(tuner, study_file):
    code, output = tuner("run", study_file(trials=0), "--dry-run")

    assert code == 2
    assert output.count("\n") == 1
    assert "trials must be greater than or equal to 1, got 0" in output


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scheduler": {"name": "halving", "grace_period": 15}}, "below base.epochs (15), got 15"),
        ({"scheduler": {"name": "halving", "reduction_factor": 1}}, "or equal to 2, got 1"),
        ({"scheduler": {"name": "hyperband"}}, "known: asha, fifo, halving, median"),
        ({"scheduler": {"proxy": {"until": 2}}}, "scheduler/name is missing"),
        ({"objectives": [{"metric": "accuracy"}]}, "unknown metric 'accuracy'"),
        ({"constraints": [{"metric": "val/clean_accuracy"}]}, "got neither"),
        ({"replicates": 49}, "at most the number of trials (48), got 49"),
        ({"warm_start": ["runs/old"]}, "'runs/old', which is neither a study's directory nor"),
        ({"first_trials": [{"alignments/gram/weight": 9}]}, "allowed is [0.03, 3]"),
    ],
)
def test_a_search_that_cannot_be_is_one_sentence_with_exit_code_2(
    tuner, study_file, changes, words
):
    code, output = tuner("run", study_file(**changes), "--dry-run")

    assert code == 2
    assert words in output
    assert output.count("\n") == 1


def test_debug_shows_the_traceback(study_file):
    result = CliRunner().invoke(app, ["--debug", "run", str(study_file(trials=0)), "--dry-run"])

    assert isinstance(result.exception, ValueError)


def test_a_missing_teacher_checkpoint_is_named(tuner, study_file, tmp_path):
    code, output = tuner("run", study_file(teachers=teacher("no/such.pt")))

    assert (code, "no/such.pt does not exist" in output) == (2, True)
    assert not (tmp_path / "runs").exists()


def test_a_truncated_teacher_checkpoint_is_refused(tuner, study_file, tmp_path):
    torch.save({"weight": torch.zeros(1000)}, tmp_path / "teacher.pt")
    whole = (tmp_path / "teacher.pt").read_bytes()
    (tmp_path / "teacher.pt").write_bytes(whole[:1000])

    code, output = tuner("run", study_file(teachers=teacher(tmp_path / "teacher.pt")))

    assert (code, "truncated or not a checkpoint" in output) == (2, True)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("verb", ["run", "--dry-run"])
def test_a_teacher_for_other_classes_is_refused(tuner, study_file, tmp_path, verb):
    model = create_network(
        "small_resnet8", image_shape=(1, 8, 8), num_classes=100, mean=[0.0], std=[1.0]
    ).model
    torch.save(model.state_dict(), tmp_path / "teacher.pt")
    file = study_file(teachers={"file": {"checkpoint": str(tmp_path / "teacher.pt")}})

    code, output = tuner("run", file, *([verb] if verb == "--dry-run" else []))

    assert (code, output.count("\n")) == (2, 1)
    assert "is made for 100 classes, not for the 10 of data 'digits'" in output
    assert not (tmp_path / "runs").exists()


def test_a_disk_that_is_too_full_is_said(tuner, study_file, tmp_path):
    code, output = tuner("run", study_file(resources={"min_free_disk_gb": 1e9}))

    assert (code, "GB free, but the study needs" in output) == (2, True)
    assert not (tmp_path / "runs").exists()


def test_a_tracking_server_that_does_not_answer_is_said_before_anything_trains(tuner, tmp_path):
    code, output = tuner("run", "digits", "--tracking-uri", "http://127.0.0.1:9")

    assert code == 2
    assert "http://127.0.0.1:9" in output
    assert output.count("\n") == 1
    assert not (tmp_path / "runs" / "digits" / "trials").exists()


def test_a_directory_of_another_study_is_refused_and_kept(tuner, study_file, tmp_path):
    place = tmp_path / "runs" / "digits"
    place.mkdir(parents=True)
    (place / "study.yaml").write_text(study_file().read_text().replace("0.2", "0.3"))
    before = (place / "study.yaml").read_text()

    code, output = tuner("run", "digits")

    assert (code, "belongs to another study" in output) == (2, True)
    assert (place / "study.yaml").read_text() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "digit"), "did you mean 'digits'?"),
        (("run", "nothing/here.yaml"), "does not exist"),
        (("resume", "runs/nothing"), "holds no study"),
        (("front", "runs/nothing"), "holds no study"),
        (("export", "runs/nothing"), "holds no study"),
        (("ls",), "no study in runs"),
        (("train", "nothing.yaml"), "does not exist"),
        (("evaluate", "nothing.pt"), "does not exist"),
        (("ui", "runs/nothing"), "holds no study"),
        (("sync", "runs/nothing"), "holds no study"),
    ],
)
def test_what_is_not_there_is_named(tuner, arguments, words):
    code, output = tuner(*arguments)

    assert code == 2
    assert words in output
    assert "Traceback" not in output


def test_a_checkpoint_that_was_not_trained_here_cannot_be_evaluated(tuner, tmp_path):
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pt")

    code, output = tuner("evaluate", "other.pt")

    assert (code, "holds no student" in output) == (2, True)


def test_cancel_ends_unfinished_trials_and_nothing_else(tuner, tmp_path):
    place = StudyDirectory(tmp_path / "runs" / "small")
    study = StudyConfig.model_validate(
        {"name": "small", "teachers": {"resnet": {"architecture": "small_resnet8"}}}
    )
    place.claim(study)
    search = Search(study, Ledger(study, place.path), patience=math.inf)
    search.ask()
    search.ask()
    search.fail(0, f"{Cause.diverged}: nan")

    refused = tuner("cancel", "runs/small", 0)
    done = tuner("cancel", "runs/small", 1)

    assert (refused[0], done[0]) == (2, 0)
    assert "trial 0 is not unfinished; unfinished trials: 1" in " ".join(refused[1].split())
    causes = [record.cause for record in Ledger(study, place.path).records()]
    assert causes == [Cause.diverged, Cause.cancelled]
    assert (place.trial(1) / "metrics.csv").is_file()


@pytest.mark.slow
def test_simulate_tells_the_front_and_the_cost(tuner):
    code, output = tuner("simulate", "digits", "--gpus", 64, "--trials", 12, "--seeds", 1)

    assert code == 0, output
    assert "Front of digits" in output
    assert "without early stopping" in output
    assert "hypervolume" in output


@pytest.mark.slow
def test_simulate_refuses_another_task(tuner, study_file):
    path = study_file(base={"epochs": 7, "data": {"name": "digits"}})

    code, output = tuner("simulate", path)

    assert code == 2
    assert "the recorded curves are of another task" in " ".join(output.split())
