"""Studies in which something goes wrong, and one from Python."""

import shutil
import subprocess

import pytest
import yaml
from run_tuner import TUNER, mlflow_runs, records, tuner

from tuner.records import TrialState

pytestmark = pytest.mark.end_to_end


def test_a_trial_that_diverges_fails_with_its_reason_and_the_study_goes_on(
    small_study, teachers, tmp_path
):
    shutil.copytree(teachers, tmp_path / "runs/teachers")
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


def test_a_study_runs_from_python(small_study, teachers, tmp_path):
    shutil.copytree(teachers, tmp_path / "runs/teachers")
    program = (
        "from tuner import Study\n"
        f"study = Study.load({str(small_study)!r}, trials=2, directory='runs/from_python')\n"
        "study.run()\n"
        "print(len(study.trials), len(study.curves), study.front.columns[0])\n"
        "study.run(quiet=True)\n"
    )

    run = subprocess.run(
        [TUNER[0], "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert run.returncode == 0, run.stderr
    assert "2/2 trials done" in run.stdout
    assert run.stdout.endswith("2 8 val/clean_accuracy\n")
    assert run.stderr == ""
