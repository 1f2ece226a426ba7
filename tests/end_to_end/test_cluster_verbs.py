"""A study on a cluster of two nodes: looked at, handed over, read along, stopped, finished."""

import shutil
import signal
import subprocess
import sys
import time

import pytest
import yaml

from benchmarks.crashes.driver import STUDY
from benchmarks.services.ray_nodes import Nodes
from tuner.records import TrialState
from tuner.storage.directory import StudyDirectory
from tuner.storage.ledger import Ledger

pytestmark = pytest.mark.end_to_end

TRIALS, FEWER = 400, 4
"""More than are done before somebody stops the study; what it is finished with."""


@pytest.fixture(scope="module")
def cluster():
    pytest.importorskip("aiohttp_cors", reason="Ray's job server needs ray[default]")
    with Nodes(2, jobs=True) as nodes:
        yield nodes


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A folder with the file of a small study."""
    folder = tmp_path_factory.mktemp("cluster")
    content = {**STUDY, "name": "small", "trials": TRIALS}
    (folder / "study.yaml").write_text(yaml.safe_dump(content))
    return folder


def records(folder):
    place = StudyDirectory(folder / "runs" / "small")
    return Ledger(place.study(), place.path).records() if place.config.is_file() else []


def wait_for_report(folder):
    deadline = time.monotonic() + 600
    while not any(record.reports for record in records(folder)):
        assert time.monotonic() < deadline, "no trial reported anything"
        time.sleep(0.2)


def begin(cluster, folder, *arguments):
    """Start a verb, and leave it to itself."""
    return subprocess.Popen(
        [sys.executable, "-m", "tuner", *arguments],
        cwd=folder,
        env=cluster.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_the_doctor_finds_a_healthy_cluster(cluster, study):
    result = cluster.tuner(study, "doctor", "--address", cluster.address, "--study", "study.yaml")

    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == ""
    assert "!!" not in result.stdout
    assert "2 cores and 0 GPUs on 2 nodes; trials of 1 core and 0 GPUs at once: 2" in result.stdout
    assert "is the same folder for all 3, and all write there" in result.stdout
    assert "only who has the token may use the cluster" in result.stdout
    assert sorted(path.name for path in study.iterdir()) == ["study.yaml"]


def test_the_doctor_without_the_token_says_so(cluster, study, tmp_path):
    token = tmp_path / ".ray" / "auth_token"
    token.parent.mkdir()
    token.write_text("of another cluster")

    result = cluster.tuner(study, "doctor", "--address", cluster.address, HOME=str(tmp_path))

    assert result.returncode == 1
    (wrong,) = [line for line in result.stdout.splitlines() if line.startswith("!!")]
    assert "it asks for a token, and ours is missing or another one -> " in wrong


def test_a_study_is_handed_over_stopped_and_finished(cluster, study):
    follower = begin(cluster, study, "run", "study.yaml", "--address", cluster.jobs)
    wait_for_report(study)
    follower.send_signal(signal.SIGINT)
    followed, _ = follower.communicate(timeout=600)

    refused = cluster.tuner(study, "submit", "study.yaml", "--address", cluster.jobs)
    stopped = cluster.tuner(study, "stop", "runs/small")
    ended = [record.state for record in records(study)]
    again = cluster.tuner(
        study, *("submit", "runs/small/study.yaml", "--address", cluster.jobs, "--trials", FEWER)
    )
    log = cluster.tuner(study, "logs", "runs/small", "--follow", "--lines", "0")

    assert follower.returncode == 130, followed
    assert followed.splitlines()[-2].startswith("the study runs on as job small-")
    assert refused.returncode == 2
    assert "study runs/small is being run as job small-" in refused.stderr
    assert stopped.returncode == 0, stopped.stdout + stopped.stderr
    assert "trials to go" in stopped.stdout
    assert len(ended) < TRIALS
    assert again.returncode == 0, again.stdout + again.stderr
    assert "Front of small" in log.stdout
    assert log.stdout.rstrip().endswith("succeeded")
    assert len(records(study)) == max(FEWER, len(ended))
    assert TrialState.running not in {record.state for record in records(study)}


def test_a_trials_log_shows_its_epochs(cluster, study):
    shown = cluster.tuner(study, "logs", "runs/small", "0")

    assert shown.returncode == 0, shown.stderr
    assert "epoch" in shown.stdout
    assert shown.stdout.splitlines()[-1] == "files: runs/small/trials/0000"


def test_a_local_driver_is_stopped_by_its_lock(cluster, study, victims_teachers, tmp_path):
    shutil.copytree(victims_teachers, tmp_path / "runs/teachers")
    driver = begin(cluster, tmp_path, "run", study / "study.yaml", "--address", cluster.address)
    wait_for_report(tmp_path)

    stopped = cluster.tuner(tmp_path, "stop", "runs/small")
    said, _ = driver.communicate(timeout=600)
    twice = cluster.tuner(tmp_path, "stop", "runs/small")

    assert stopped.returncode == 0, stopped.stdout + stopped.stderr + said
    assert "the driver ended on SIGINT" in stopped.stdout
    assert stopped.stdout.rstrip().endswith("go on with: tuner resume runs/small")
    assert driver.returncode == 130, said
    assert twice.returncode == 2
    assert "nobody runs study runs/small" in twice.stderr
