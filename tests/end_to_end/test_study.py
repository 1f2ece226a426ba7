"""A whole study with the real Ray, Optuna and MLflow: to the end, through kill -9, and back."""

import os
import shutil
import signal
import subprocess

import pytest
import yaml
from run_tuner import EPOCHS, TRIALS, TUNER, mlflow_runs, records, tuner, verb, wait_for_reports

from tuner.records import TrialState

pytestmark = pytest.mark.end_to_end


def test_a_study_ends_with_its_trials_front_and_files(finished):
    folder, _ = finished

    states = [record.state for record in records(folder)]

    assert states == [TrialState.complete] * TRIALS
    written = {
        str(p.relative_to(folder / "runs/digits")) for p in (folder / "runs/digits").rglob("*")
    }
    assert {"study.yaml", "report.html", "front/front.png", "front/front.html"} <= written
    assert {
        "trials/0000/config.yaml",
        "trials/0000/metrics.csv",
        "trials/0000/checkpoint.pt",
    } <= written
    assert "front/configs/knee.yaml" in written


def test_output_is_only_ours(finished):
    _, result = finished

    assert f"{TRIALS}/{TRIALS} trials done, 0 running" in result.stdout
    assert "Front of digits" in result.stdout
    assert "peak memory" in result.stdout
    assert "look at every run in MLflow: tuner ui runs/digits" in result.stdout
    assert result.stderr == ""


def test_every_epoch_is_reported_once(finished):
    folder, _ = finished

    epochs = [[report["epoch"] for report in record.reports] for record in records(folder)]

    assert epochs == [list(range(1, EPOCHS + 1))] * TRIALS


def test_mlflow_holds_one_run_per_trial_under_one_study_run(finished):
    folder, _ = finished

    (parent,), children = mlflow_runs(folder)

    assert parent.info.status == "FINISHED"
    assert sorted(int(run.data.tags["tuner.trial"]) for run in children) == list(range(TRIALS))
    assert {run.info.status for run in children} == {"FINISHED"}
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    by_number = {int(run.data.tags["tuner.trial"]): run for run in children}
    for record in records(folder):
        logged = by_number[record.number].data.metrics
        assert logged["final/robust_accuracy"] == record.values["val/robust_accuracy"]


def test_a_finished_study_is_shown_again_without_running(finished):
    folder, _ = finished
    before = (folder / "runs/digits/optuna.journal").read_text()

    again = verb(folder, "resume", "runs/digits")

    assert again.returncode == 0
    assert "Front of digits" in again.stdout
    assert (folder / "runs/digits/optuna.journal").read_text() == before
    assert len(mlflow_runs(folder)[0]) == 1


def test_fewer_trials_than_there_are_run_nothing_and_lose_nothing(finished):
    folder, _ = finished

    again = verb(folder, "run", folder / "runs/digits/study.yaml", "--trials", "3")
    restored = verb(folder, "run", folder / "runs/digits/study.yaml", "--trials", str(TRIALS))

    assert (again.returncode, restored.returncode) == (0, 0)
    assert len(records(folder)) == TRIALS


def test_ls_and_front_read_what_is_there(finished):
    folder, _ = finished

    listed, shown = verb(folder, "ls"), verb(folder, "front", "runs/digits")

    assert "digits" in listed.stdout
    assert "knee" in shown.stdout


@pytest.mark.parametrize("pick", ["max-robust", "robust>=0.01", "trial:3"])
def test_an_exported_config_trains_to_the_numbers_of_its_trial(finished, pick, tmp_path):
    folder, _ = finished
    exported = verb(folder, "export", "runs/digits", "--pick", pick, "--output", "best.yaml")
    assert exported.returncode == 0, exported.stderr
    number = int(exported.stdout.split()[1])

    trained = verb(folder, "train", "best.yaml", "--output", tmp_path)

    assert trained.returncode == 0, trained.stderr
    metrics = records(folder)[number].metrics
    last = trained.stdout.splitlines()[-2]
    assert f"epoch {EPOCHS}/{EPOCHS}" in last
    assert f"robust_accuracy {metrics['val/robust_accuracy']:.4g}," in last
    assert f"clean_accuracy {metrics['val/clean_accuracy']:.4g}," in last
    assert f"loss {metrics['train/loss']:.4g}," in last


def test_a_trained_student_is_measured_on_the_test_split(finished):
    folder, _ = finished

    result = verb(folder, "evaluate", "runs/digits/trials/0001")

    assert result.returncode == 0, result.stderr
    assert "accuracy in % on 300 test images of digits" in result.stdout
    assert "verdict: " in result.stdout
    plot = folder / result.stdout.splitlines()[-1].removeprefix("plot: ")
    assert plot.is_file()


def test_a_killed_driver_loses_and_doubles_nothing(small_study, finished, tmp_path):
    shutil.copytree(finished[0] / "runs/teachers", tmp_path / "runs/teachers")
    command = ["run", str(small_study), "--trials", "5"]
    driver = subprocess.Popen(
        [*TUNER, *command],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_reports(tmp_path, 9, driver)
    finally:
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
    begun = records(tmp_path)

    again = tuner(tmp_path, *command)

    assert again.returncode == 0, again.stdout + again.stderr
    ended = records(tmp_path)
    assert [record.state for record in ended] == [TrialState.complete] * 5
    assert [record.config for record in ended[: len(begun)]] == [r.config for r in begun]
    (parent,), children = mlflow_runs(tmp_path)
    assert parent.info.status == "FINISHED"
    assert {run.info.status for run in children} == {"FINISHED"}
    assert sorted(int(run.data.tags["tuner.trial"]) for run in children) == list(range(5))
    first = [record.metrics["val/robust_accuracy"] for record in ended]
    undisturbed = [r.metrics["val/robust_accuracy"] for r in records(finished[0])[:5]]
    assert first == undisturbed


def test_a_teacher_file_of_another_architecture_is_one_sentence(small_study, finished, tmp_path):
    folder, _ = finished
    (weights,) = (folder / "runs" / "teachers").glob("*.safetensors")
    content = yaml.safe_load(small_study.read_text())
    wrong = {"architecture": "small_resnet6", "checkpoint": str(weights)}
    content["teachers"] = {"wrong": wrong}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(content))

    result = verb(tmp_path, "run", "study.yaml")

    assert result.returncode == 2
    assert "is not of architecture 'small_resnet6'" in result.stderr
    assert result.stderr.count("\n") == 1
