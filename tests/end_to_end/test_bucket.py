"""A study in a bucket: its driver is killed, and another machine goes on and reads it."""

import json
import signal
import subprocess
import sys
import time

import pytest
import yaml
from typer.testing import CliRunner

from trainables.storage.object_store import UrlFolder
from trainables.storage.urls import completed
from tuner.cli import app
from tuner.records import TrialState
from tuner.storage.ledger import read_records
from tuner.study_names import directory_at

pytestmark = pytest.mark.end_to_end

TRIALS, EPOCHS = 3, 3


@pytest.fixture
def study(small_study, tmp_path):
    content = yaml.safe_load(small_study.read_text())
    content["base"]["epochs"] = EPOCHS
    content |= {
        "trials": TRIALS,
        "storage": f"sqlite:///{tmp_path}/ledger.db",
        "tracking": {"enabled": False},
        "resources": {"max_concurrent": 1},
    }
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def begin(study, url):
    command = [sys.executable, "-m", "tuner", "run", study, "--directory", url]
    return subprocess.Popen(
        list(map(str, command)),
        cwd=study.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for_a_checkpoint(folder, driver):
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and driver.poll() is None:
        if any(name.endswith("checkpoint.pt") for name in folder.files()):
            return
        time.sleep(0.1)
    pytest.fail(f"no checkpoint in the bucket, exit code {driver.poll()}")


def test_a_study_goes_on_after_its_driver_was_killed_and_is_read_elsewhere(
    study, s3, another_machine
):
    url = f"{s3}/runs/small"
    there, teachers = (UrlFolder(completed(f"{s3}/runs/{n}")) for n in ("small", "teachers"))
    first = begin(study, url)
    wait_for_a_checkpoint(there, first)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    prepared = teachers.files()
    another_machine()

    second = begin(study, url)
    output, _ = second.communicate(timeout=420)
    another_machine()
    status = CliRunner().invoke(app, ["status", url, "--json"])
    front = CliRunner().invoke(app, ["front", url])

    assert second.returncode == 0, output
    directory = directory_at(url)
    records = read_records(directory.study(), directory.path)
    assert [record.state for record in records] == [TrialState.complete] * TRIALS
    assert [[r["epoch"] for r in record.reports] for record in records] == [
        list(range(1, EPOCHS + 1))
    ] * TRIALS
    assert len(prepared) == 1
    assert teachers.files() == prepared
    kept = {"checkpoint.pt", "config.yaml", "machine.json", "metrics.csv", "turn"}
    expected = {f"trials/{n:04d}/{name}" for n in range(TRIALS) for name in kept}
    assert {name for name in there.files() if name.startswith("trials/")} == expected
    assert json.loads(status.stdout)["trials"]["complete"] == TRIALS
    assert front.exit_code == 0
    assert "report.html" in front.stdout
