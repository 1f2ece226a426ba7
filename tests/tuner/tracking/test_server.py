"""The server that shows a study: it comes up, says where, and leaves nothing behind."""

import socket
import subprocess
import sys
import urllib.request

import psutil
import pytest

from benchmarks.services.service import free_port
from tuner.tracking.client import MlflowClient
from tuner.tracking.server import serve


def processes():
    return {child.pid for child in psutil.Process().children(recursive=True)}


def test_a_store_that_is_a_server_is_shown_by_itself():
    before = processes()

    with serve("https://mlflow.example.org/") as base:
        during = processes()

    assert base == "https://mlflow.example.org"
    assert during == before


def test_a_named_port_that_is_taken_is_refused_before_anything_is_made(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        uri = f"sqlite:///{tmp_path}/mlflow.db"

        with pytest.raises(ValueError, match=f"port {port} is taken"), serve(uri, port):
            pass

    assert not list(tmp_path.iterdir())


def test_a_store_that_cannot_be_opened_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    uri = f"sqlite:///{tmp_path}/file/mlflow.db"

    with (
        pytest.raises(ConnectionError, match=r"does not answer at sqlite.*tracking\.uri"),
        serve(uri),
    ):
        pass


@pytest.mark.end_to_end
def test_the_server_answers_and_is_gone_afterwards(tmp_path):
    before = processes()

    with serve(f"sqlite:///{tmp_path}/mlflow.db", free_port()) as base:
        with urllib.request.urlopen(base, timeout=120) as page:
            shown = page.read().decode()
        experiments = MlflowClient(base).search_experiments()

    assert "<title>MLflow</title>" in shown
    assert [experiment.name for experiment in experiments] == ["Default"]
    assert processes() == before
    assert [path.name for path in tmp_path.iterdir() if "mlflow.db" not in path.name] == []


@pytest.mark.end_to_end
def test_a_database_that_did_not_fit_on_the_disk_is_made_whole_once_there_is_room(tmp_path):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    open_it = f"from tuner.tracking.client import connect; connect({uri!r})"
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"

    refused = subprocess.run(
        [sys.executable, "-c", limited + open_it], capture_output=True, text=True, check=False
    )
    left = sorted(path.name for path in tmp_path.iterdir())
    again = subprocess.run([sys.executable, "-c", open_it], capture_output=True, text=True)

    assert "ConnectionError: MLflow does not answer at sqlite" in refused.stderr
    assert left == [".mlflow.db.lock"]
    assert again.returncode == 0, again.stderr
    assert [found.name for found in MlflowClient(uri).search_experiments()] == ["Default"]


@pytest.mark.end_to_end
def test_a_database_whose_maker_was_killed_is_made_whole_by_the_next(tmp_path):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    open_it = f"from tuner.tracking.client import connect; connect({uri!r})"
    dies = (
        "import os, signal, sqlalchemy.event as event; from sqlalchemy.engine import Engine\n"
        "seen = []\n"
        "@event.listens_for(Engine, 'after_cursor_execute')\n"
        "def die(*call):\n"
        "    seen.append('ALTER TABLE' in call[2])\n"
        "    if any(seen): os.kill(os.getpid(), signal.SIGKILL)\n"
    )

    killed = subprocess.run([sys.executable, "-c", dies + open_it], check=False)
    again = subprocess.run([sys.executable, "-c", open_it], capture_output=True, text=True)

    assert killed.returncode == -9
    assert again.returncode == 0, again.stderr
    assert [found.name for found in MlflowClient(uri).search_experiments()] == ["Default"]


@pytest.mark.end_to_end
def test_a_fresh_database_survives_processes_that_open_it_at_once(tmp_path):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    open_it = f"from tuner.tracking.client import connect; connect({uri!r})"

    openers = [subprocess.Popen([sys.executable, "-c", open_it]) for _ in range(4)]

    assert [opener.wait(timeout=600) for opener in openers] == [0] * 4
    assert [found.name for found in MlflowClient(uri).search_experiments()] == ["Default"]
