"""Studies in which something goes wrong, or that somebody stops."""

import signal
import subprocess

import psutil
import pytest
import yaml
from run_tuner import EPOCHS, TUNER, mlflow_runs, records, tuner, wait_for_reports

from tuner.records import TrialState

pytestmark = pytest.mark.end_to_end


def test_a_killed_worker_is_started_again_from_its_last_epoch(small_study, tmp_path):
    driver = subprocess.Popen(
        [*TUNER, "run", str(small_study), "--trials", "4"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for_reports(tmp_path, 3, driver)
        worker_of(driver.pid).kill()
        driver.wait(timeout=300)
    finally:
        driver.kill()

    assert driver.returncode == 0
    assert [record.state for record in records(tmp_path)] == [TrialState.complete] * 4
    epochs = [[report["epoch"] for report in record.reports] for record in records(tmp_path)]
    assert epochs == [list(range(1, EPOCHS + 1))] * 4


def worker_of(pid):
    """A process of Ray that trains at the moment."""
    names = {p: " ".join(p.cmdline()) for p in psutil.Process(pid).children(recursive=True)}
    return next(p for p, name in names.items() if "Trainable" in name)


def test_a_trial_that_diverges_fails_with_its_reason_and_the_study_goes_on(small_study, tmp_path):
    content = yaml.safe_load(small_study.read_text())
    content["trials"] = 3
    content["baselines"] = {
        "diverging": {"optimizer": {"learning_rate": 1e30, "name": "sgd", "schedule": "constant"}}
    }
    study = tmp_path / "diverging.yaml"
    study.write_text(yaml.safe_dump(content))

    result = tuner(tmp_path, "run", study)

    assert result.returncode == 0, result.stdout + result.stderr
    paper, *diverged = records(tmp_path)
    assert paper.state == TrialState.complete
    assert [record.state for record in diverged] == [TrialState.failed] * 2
    assert all("diverged" in record.reason for record in diverged)
    statuses = {run.info.status for run in mlflow_runs(tmp_path)[1]}
    assert statuses == {"FINISHED", "FAILED"}


def test_more_gpus_than_there_are_is_refused_instead_of_waited_for(small_study, tmp_path):
    content = yaml.safe_load(small_study.read_text())
    content["resources"] = {"gpus": 64}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(content))

    result = tuner(tmp_path, "run", "study.yaml")

    assert result.returncode == 2
    assert "resources.gpus asks for 64 per trial" in result.stderr
    assert result.stderr.count("\n") == 1


def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(small_study, tmp_path):
    driver = subprocess.Popen(
        [*TUNER, "run", str(small_study), "--trials", "4"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wait_for_reports(tmp_path, 2, driver)

    driver.send_signal(signal.SIGINT)
    output, _ = driver.communicate(timeout=120)
    stopped = [record.state for record in records(tmp_path)]
    again = tuner(tmp_path, "resume", "runs/digits")

    assert driver.returncode == 130
    assert "tuner resume runs/digits" in output
    assert "Traceback" not in output
    assert TrialState.running in stopped
    assert again.returncode == 0, again.stdout + again.stderr
    assert [record.state for record in records(tmp_path)] == [TrialState.complete] * 4
