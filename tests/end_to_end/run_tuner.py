"""Running the command line as its user would, and reading what came of it."""

import subprocess
import sys
import time
import warnings
from contextlib import chdir

import mlflow
import pytest
from typer.testing import CliRunner

from trainables.teachers import prepare_teacher
from tuner.cli import app
from tuner.running.runner import teachers_to_prepare
from tuner.storage.directory import StudyDirectory
from tuner.storage.ledger import Ledger
from tuner.study_file import load_study

TUNER = [sys.executable, "-m", "tuner"]
TRIALS, EPOCHS = 8, 4


def tuner(folder, *arguments):
    """Run a verb in a folder to its end."""
    return subprocess.run(
        [*TUNER, *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def verb(folder, *arguments):
    """Run a verb that does not start Ray in this process, which has imported everything already.

    A warning that a user would see is an error.
    """
    with chdir(folder), warnings.catch_warnings():
        warnings.simplefilter("error")
        for unseen in (DeprecationWarning, PendingDeprecationWarning, ResourceWarning):
            warnings.simplefilter("ignore", unseen)
        result = CliRunner().invoke(app, [*map(str, arguments)])
    code = result.exit_code
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return subprocess.CompletedProcess(arguments, code, result.stdout, result.stderr)


def prepare_teachers(file, place):
    """Train a study's teachers in this process: a study that finds them starts sooner."""
    for config in teachers_to_prepare(load_study(file)).values():
        prepare_teacher(config, place)
    return place


def records(folder):
    place = StudyDirectory(folder / "runs" / "digits")
    return Ledger(place.study(), place.path).records()


def mlflow_runs(folder):
    client = mlflow.MlflowClient(f"sqlite:///{folder}/runs/mlflow.db")
    (experiment,) = [e for e in client.search_experiments() if e.name == "digits"]
    runs = client.search_runs([experiment.experiment_id])
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    return parents, [run for run in runs if run not in parents]


def wait_for_reports(folder, number, driver):
    journal = folder / "runs" / "digits" / "optuna.journal"
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and driver.poll() is None:
        text = journal.read_text() if journal.is_file() else ""
        if text.count('"report/') >= number and '"label"' in text:
            return
        time.sleep(0.05)
    pytest.fail(f"the driver ended or stalled before {number} reports (exit {driver.poll()})")
