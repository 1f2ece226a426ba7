"""A study whose environment is full of secrets: none of them is found in anything it leaves."""

import base64
import os
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest
import yaml
from run_tuner import TUNER

pytestmark = pytest.mark.end_to_end

PLANTED = {
    "PGPASSWORD": "planted/Postgres+secret=1",
    "AWS_SECRET_ACCESS_KEY": "planted/Aws+secret=2",
    "MLFLOW_TRACKING_PASSWORD": "planted/Mlflow+secret=3",
    "MLFLOW_TRACKING_USERNAME": "somebody",
    "RAY_AUTH_TOKEN": "4a11ce0f" * 8,
    "PLANTED": "planted/Reference+secret=5",
}
STUDY = {
    "name": "planted",
    "trials": 2,
    "storage": "sqlite:///study.db?timeout=60&mode=${PLANTED}",
    "base": {
        "epochs": 1,
        "attack": {"steps": 1},
        "validation": {"attack": {"steps": 1}},
        "student": {"architecture": "small_resnet6"},
    },
    "search_space": "own_space:space",
    "scheduler": {"name": "fifo"},
    "teachers": {},
}
SPACE = """
def space(trial):
    trial.suggest_float("optimizer/learning_rate", 1e-2, 1e-1, log=True)
    return {}
"""


def forms():
    """Every way in which a secret may have been written down."""
    for name, secret in PLANTED.items():
        if name != "MLFLOW_TRACKING_USERNAME":
            encoded = base64.b64encode(secret.encode()).rstrip(b"=")
            yield from (secret.encode(), quote(secret, safe="").encode(), encoded)


def command_lines(process):
    for child in [process, *process.children(recursive=True)]:
        try:
            yield " ".join(child.cmdline()).encode()
        except psutil.NoSuchProcess:
            continue


@pytest.fixture(scope="module")
def left_behind(tmp_path_factory):
    """What a study says, what its processes are called, and the folders that it writes into."""
    folder = tmp_path_factory.mktemp("planted")
    (folder / "own_space.py").write_text(SPACE)
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp") as scratch:  # sockets want it short
        environment = {**os.environ, **PLANTED, "RAY_AUTH_MODE": "token", "RAY_TMPDIR": scratch}
        texts = {}
        with (folder / "said").open("wb") as said:
            run = subprocess.Popen(
                [*TUNER, "run", "study.yaml"],
                cwd=folder, env=environment, stdout=said, stderr=subprocess.STDOUT,
            )  # fmt: skip
            process, deadline = psutil.Process(run.pid), time.monotonic() + 400
            while run.poll() is None and time.monotonic() < deadline:
                texts |= {line: line for line in command_lines(process)}
                time.sleep(0.5)
            run.kill()
            run.wait()
        yield folder, Path(scratch), list(texts), run.returncode


def holding(folder):
    return [
        path for path in folder.rglob("*")
        if path.is_file() and any(form in path.read_bytes() for form in forms())
    ]  # fmt: skip


def test_the_study_had_its_trials(left_behind):
    folder, _, lines, code = left_behind

    assert code == 0, (folder / "said").read_text()
    assert (folder / "runs" / "planted" / "report.html").is_file()
    assert (folder / "runs" / "mlflow.db").is_file()
    assert any(b"raylet" in line for line in lines)


def test_no_secret_is_in_any_file_of_the_study_nor_in_what_it_says(left_behind):
    folder, _, _, _ = left_behind

    assert holding(folder) == []


def test_no_secret_is_in_rays_logs(left_behind):
    _, scratch, _, _ = left_behind

    assert list(scratch.rglob("*.log"))
    assert holding(scratch) == []


def test_no_secret_is_in_a_command_line(left_behind):
    _, _, lines, _ = left_behind

    assert [line for line in lines if any(form in line for form in forms())] == []
