"""Running the command line as its user would, and reading what came of it."""

import subprocess
import sys
import time

import mlflow
import pytest

from tuner.directory import StudyDirectory
from tuner.ledger import Ledger

TUNER = [sys.executable, "-m", "tuner"]
TRIALS, EPOCHS = 8, 4


def tuner(folder, *arguments):
    """Run a verb in a folder to its end."""
    return subprocess.run(
        [*TUNER, *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=420,
        check=False,
    )


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
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and driver.poll() is None:
        text = journal.read_text() if journal.is_file() else ""
        if text.count('"report/') >= number and '"label"' in text:
            return
        time.sleep(0.05)
    pytest.fail(f"the driver ended or stalled before {number} reports (exit {driver.poll()})")
