"""``tuner train``: what it leaves, how it goes on, and what it refuses."""

import csv
import json
import math

import pytest
import torch
import yaml
from typer.testing import CliRunner

from trainables.config import TrialConfig
from trainables.models.checkpoints import read_checkpoint
from tuner.cli import app
from tuner.exporting.config_files import load_trial_config
from tuner.exporting.provenance import read_provenance
from tuner.tracking.client import connect
from tuner.training_folder import TrainingFolder

TRIAL = {
    "student": {"architecture": "small_resnet6"},
    "data": {"batch_size": 300},
    "threat": {"epsilon": 0.1},
    "attack": {"steps": 1, "step_size": 1.0},
    "validation": {"attack": {"steps": 1}},
    "epochs": 2,
    "hardware": {"device": "cpu"},
}


@pytest.fixture
def train(tmp_path, monkeypatch):
    """``train(…)``: run the verb on one.yaml in an empty folder; returns exit code and output."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(TRIAL))

    def run(*arguments, config="one.yaml"):
        tracked = any("tracking" in str(a) for a in arguments)
        quiet = [] if tracked else ["--no-tracking"]
        result = CliRunner().invoke(app, ["train", config, *map(str, arguments), *quiet])
        return result.exit_code, result.output

    return run


def rows(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_training_leaves_state_weights_config_metrics_and_machine(train, tmp_path):
    code, output = train()

    folder = tmp_path / "runs/train/one"
    assert code == 0
    assert output.splitlines()[-1] == "student: runs/train/one/student.safetensors"
    assert sorted(path.name for path in folder.iterdir()) == [
        "checkpoint.pt",
        "config.yaml",
        "machine.json",
        "metrics.csv",
        "student.safetensors",
    ]
    assert load_trial_config(folder / "config.yaml") == load_trial_config(tmp_path / "one.yaml")
    assert [row["epoch"] for row in rows(folder)] == ["1", "2"]
    assert json.loads((folder / "machine.json").read_text())["device"] == "cpu"
    state, weights = (read_checkpoint(folder / n) for n in ("checkpoint.pt", "student.safetensors"))
    torch.testing.assert_close(weights["student"], dict(state["student"]), rtol=0, atol=0)
    assert "optimizer" not in weights


def test_every_seed_has_a_folder_and_their_mean_is_said(train, tmp_path):
    code, output = train("--seeds", 2, "--epochs", 1)

    folder = tmp_path / "runs/train/one"
    accuracies = [float(rows(folder / f"seed_{i}")[0]["val/clean_accuracy"]) for i in (0, 1)]
    mean, spread = sum(accuracies) / 2, abs(accuracies[0] - accuracies[1]) / math.sqrt(2)
    assert code == 0
    assert f"over 2 seeds: clean accuracy {100 * mean:.1f} ± {100 * spread:.1f}, robust" in output
    assert "in %, 297 validation images, robust: margin PGD-1, step" in output
    configs = [load_trial_config(folder / f"seed_{i}" / "config.yaml") for i in (0, 1)]
    assert [config.seed for config in configs] == [0, 1]


def test_one_named_seed_is_that_students_of_several(train, tmp_path):
    train("--seeds", 2, "--epochs", 1)
    train("--seed", 1, "--epochs", 1, "--output", "alone")

    both = [rows(tmp_path / place)[0] for place in ("runs/train/one/seed_1", "alone/seed_1")]
    assert both[0]["val/robust_accuracy"] == both[1]["val/robust_accuracy"]
    assert both[0]["train/loss"] == both[1]["train/loss"]


def test_a_stopped_training_goes_on_and_no_epoch_is_lost_or_doubled(train, tmp_path, monkeypatch):
    train("--output", "whole")
    stop_after_first_epoch(monkeypatch)
    code, output = train("--output", "parts")
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)

    again, _ = train("--output", "parts")

    assert (code, again) == (130, 0)
    assert "the same command goes on" in output
    whole, parts = (rows(tmp_path / name) for name in ("whole", "parts"))
    assert [row["epoch"] for row in parts] == ["1", "2"]
    assert [row["train/loss"] for row in parts] == [row["train/loss"] for row in whole]


def stop_after_first_epoch(monkeypatch):
    """Ctrl-C as the second epoch begins."""
    from trainables.distillation import Distillation

    begun = Distillation.train_epoch

    def train_epoch(self):
        if self.epoch == 1:
            raise KeyboardInterrupt
        return begun(self)

    monkeypatch.setattr(Distillation, "train_epoch", train_epoch)


def test_a_finished_training_is_shown_again_and_changes_nothing(train, tmp_path):
    train("--epochs", 1)
    before = (tmp_path / "runs/train/one/metrics.csv").read_text()

    code, output = train("--epochs", 1)

    assert code == 0
    assert "epoch 1/1: " in output
    assert (tmp_path / "runs/train/one/metrics.csv").read_text() == before


def test_another_config_does_not_go_into_the_same_folder(train):
    train("--epochs", 1)

    code, output = train("--epochs", 1, "--gpus", 0, "--seed", 3, "--output", "other")
    again, refusal = train("--epochs", 2)

    assert code == 0, output
    assert again == 2
    assert "epochs was 1 and is now 2; name another folder with --output" in refusal


def test_where_a_config_comes_from_goes_with_its_student(train, tmp_path):
    told = exported(tmp_path / "best.yaml")

    train("--output", "kept", config="best.yaml")
    train("--output", "changed", "--epochs", 1, config="best.yaml")

    kept = read_provenance(tmp_path / "kept/config.yaml")
    changed = read_provenance(tmp_path / "changed/config.yaml")
    inside = read_checkpoint(tmp_path / "kept/student.safetensors")["provenance"]
    assert kept == told
    assert changed == told.model_copy(update={"changed": True})
    assert inside == kept.model_dump(mode="json")


def exported(path):
    """A study's only trial, exported; returns its provenance."""
    from make_records import make_record, make_study

    from tuner.analysis.results import Results
    from tuner.exporting.config_files import export_config

    config = TrialConfig.model_validate(TRIAL).model_dump(mode="json")
    results = Results(make_study(), [make_record(0, 0.9, 0.4, config=config)])
    return read_provenance(export_config(results, "knee", path))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--workers", 7), "must be a multiple of 7 workers, got"),
        (("--address", "head:6379"), "is for several workers, and one trains here; give at least"),
        (("--seeds", 2, "--seed", 3), "use one of them"),
        (("--seed", 3, "--seed", 3), "names each seed once, got 3, 3"),
    ],
)
def test_what_cannot_be_trained_is_one_sentence_and_leaves_nothing(
    train, tmp_path, arguments, words
):
    code, output = train(*arguments)

    assert (code, words in output, output.count("\n")) == (2, True, 1)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("study", "folder study is not empty and holds no training"),
        ("study/trials/0000", "folder study/trials/0000 is a trial of a study"),
        ("one.yaml", "one.yaml is a file; name a folder with --output"),
    ],
)
def test_a_training_does_not_go_into_what_is_something_else(train, tmp_path, output, words):
    trial = tmp_path / "study/trials/0000"
    trial.mkdir(parents=True)
    (tmp_path / "study/study.yaml").touch()
    (tmp_path / "study/student.safetensors").write_text("mine")

    code, told = train("--output", output)

    assert (code, words in told) == (2, True), told
    assert list(trial.iterdir()) == []
    assert (tmp_path / "study/student.safetensors").read_text() == "mine"


def test_a_single_training_may_lie_beside_further_seeds(tmp_path):
    (tmp_path / "seed_0").mkdir()

    TrainingFolder(tmp_path, TrialConfig.model_validate(TRIAL)).claim()

    assert (tmp_path / "config.yaml").is_file()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("gpus", [1, 2])
def test_gpus_that_are_not_there_are_said(train, gpus):
    code, output = train("--gpus", gpus)

    assert code == 2
    assert f"--gpus {gpus} needs as many GPUs, but PyTorch sees 0 on this machine" in output


def test_a_training_that_diverges_says_when_and_leaves_no_student(train, tmp_path):
    (tmp_path / "wild.yaml").write_text(
        yaml.safe_dump({**TRIAL, "optimizer": {"learning_rate": 1e30, "schedule": "cosine"}})
    )

    code, output = train(config="wild.yaml")

    assert code == 2
    assert "training diverged: train/" in output
    assert "in epoch 1; lower optimizer.learning_rate" in output
    assert not (tmp_path / "runs/train/wild/student.safetensors").exists()


def runs_in(uri):
    client = connect(uri)
    (experiment,) = [e for e in client.search_experiments() if e.name == "train"]
    return client, client.search_runs([experiment.experiment_id])


@pytest.mark.slow
def test_mlflow_holds_the_training_once_however_often_it_stops(train, tmp_path, monkeypatch):
    told = exported(tmp_path / "best.yaml")
    stop_after_first_epoch(monkeypatch)
    train("--tracking", config="best.yaml")
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path}/runs/mlflow.db"
    killed = runs_in(uri)[1][0].info.status

    train("--tracking", config="best.yaml")
    train("--tracking", config="best.yaml")

    client, (run,) = runs_in(uri)
    losses = client.get_metric_history(run.info.run_id, "train/loss")
    assert (killed, run.info.status) == ("KILLED", "FINISHED")
    assert [point.step for point in losses] == [1, 2]
    assert run.data.params["student/architecture"] == "small_resnet6"
    assert run.data.tags["tuner.from_study"] == told.study
    assert run.data.tags["tuner.seed"] == "0"
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert files == {"student.safetensors", "config.yaml", "metrics.csv", "machine.json"}


@pytest.mark.slow
def test_a_dead_mlflow_costs_one_line_and_gets_the_rest_later(train, tmp_path):
    code, output = train("--tracking-uri", "http://127.0.0.1:9")
    uri = f"sqlite:///{tmp_path}/later.db"

    train("--tracking-uri", uri)

    assert code == 0
    assert output.count("note: training goes on without MLflow: ") == 1
    client, (run,) = runs_in(uri)
    losses = client.get_metric_history(run.info.run_id, "train/loss")
    assert [point.step for point in losses] == [1, 2]
    assert run.info.status == "FINISHED"
