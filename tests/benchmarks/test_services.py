"""What the demonstration and the tests of services rely on."""

import itertools
import shutil
import signal
import subprocess
import sys
import time
from base64 import b64encode
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from benchmarks.cluster import course
from benchmarks.cluster.course import Course, Event, add_costs
from benchmarks.services.leaks import leaks
from benchmarks.services.service import Service, clean_environment, free_port
from tuner.records import TrialRecord, TrialState

SECRETS = {"password": "0f1e2d3c4b5a"}


@pytest.mark.parametrize(
    "text", ["url: postgresql://me:0f1e2d3c4b5a@host/db", b64encode(b"0f1e2d3c4b5a").decode()]
)
def test_a_secret_is_found_in_a_file_and_in_a_text(tmp_path, text):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_text(text)

    found = list(leaks(SECRETS, [tmp_path], {"the log": text, "another": "nothing"}))

    assert found == [
        f"the password lies in {tmp_path}/deep/file",
        "the password lies in the log",
    ]


def test_an_environment_for_others_has_no_password_of_ours(monkeypatch):
    monkeypatch.setenv("PGPASSWORD", "0f1e2d3c4b5a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "0f1e2d3c4b5a")

    environment = clean_environment(MORE="more")

    assert environment["MORE"] == "more"
    assert "0f1e2d3c4b5a" not in environment.values()


def test_a_service_that_ends_at_once_says_its_last_words(tmp_path):
    command = ["sh", "-c", f"echo port {free_port()} is cursed >&2; exit 3"]
    service = Service("the oracle", command, clean_environment(), tmp_path / "log", lambda: False)

    with pytest.raises(ConnectionError, match=r"the oracle did not start: port \d+ is cursed"):
        service.start()


@pytest.mark.slow
def test_a_killed_service_leaves_no_child_behind(tmp_path):
    command = ["sh", "-c", "sleep 600 & sleep 600"]
    service = Service("sleep", command, clean_environment(), tmp_path / "log", lambda: True)
    service.start()
    while len(service.family()) < 3:  # the shell has not forked yet
        assert service.alive
    family = service.family()

    service.kill()

    assert not any(process.is_running() for process in family)


KILLED = """
import os, psutil, signal
from pathlib import Path
from benchmarks.services.service import Service, clean_environment

def sleeps():  # and is no longer about to be put on the leash
    return psutil.Process(service.process.pid).name() == "sleep"

service = Service("sleep", ["sleep", "600"], clean_environment(), Path("log"), sleeps)
service.start()
print(service.process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="util-linux is not installed")
def test_a_service_ends_when_whoever_started_it_is_killed(tmp_path):
    root = Path(__file__).parents[2]
    environment = clean_environment(PYTHONPATH=str(root))

    starter = subprocess.run(
        [sys.executable, "-c", KILLED],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        check=False,
    )

    deadline = time.monotonic() + 30
    while is_running(int(starter.stdout)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert starter.returncode == -signal.SIGKILL
    assert not is_running(int(starter.stdout))


def is_running(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Slow:
    """A team whose study ends a trial with every look at it, or none after some."""

    def __init__(self, folder, most):
        self.study = SimpleNamespace(alive=True, log=folder / "log")
        self.study.log.write_text("starting")
        self.seen, self.most = 0, most

    def ended(self):
        self.seen = min(self.seen + 1, self.most)
        return self.seen


@pytest.mark.parametrize(("most", "stuck"), [(10, False), (4, True)])
def test_a_study_is_stuck_when_no_trial_ends_not_when_all_take_long(
    tmp_path, monkeypatch, most, stuck
):
    clock = itertools.count()
    monkeypatch.setattr(
        course, "time", SimpleNamespace(monotonic=lambda: 3 * next(clock), sleep=id)
    )
    monkeypatch.setattr(course, "PATIENCE", 5.0)
    slow = Slow(tmp_path, most)

    def wait():
        Course(slow, print, began=0.0)._wait(lambda: slow.seen == 10, "end")

    if stuck:
        with pytest.raises(ConnectionError, match="did not end, and for 5 s no trial ended: start"):
            wait()
    else:
        wait()


def test_a_blow_costs_the_epochs_that_are_begun_again_until_the_next():
    events = [
        Event(1.0, 0, "begin", clock=100.0, trace=0),
        Event(2.0, 0, "kill", clock=110.0, trace=3, back=118.0),
        Event(3.0, 0, "join", clock=118.0, trace=6, node="node-3"),
        Event(4.0, 1, "end", clock=120.0, trace=7),
    ]
    trace = [
        line.split()
        for line in (
            "begun 0 0 100.1 head",
            "begun 1 0 100.2 node-1",
            "stored 0 1 104.0 -",
            "begun 1 0 110.1 head",
            "begun 0 1 110.2 node-1",
            "stored 1 1 117.0 -",
            "begun 1 1 119.5 node-3",
        )
    ]
    reports = tuple({"epoch": n, "timestamp": 1000 * t} for n, t in ((1, 104), (2, 117)))
    record = TrialRecord(
        number=0, state=TrialState.running, label="", teacher="", config={}, reports=reports
    )

    add_costs(events, [record], trace)

    assert events[0].cost == "next epoch after 4.0 s"
    assert events[1].cost == (
        "away for 8 s, 1 epoch reported meanwhile, next epoch after 7.0 s, 1 epoch trained again"
    )
    assert events[2].cost == "trains after 1.5 s"
    assert events[3].cost == ""
