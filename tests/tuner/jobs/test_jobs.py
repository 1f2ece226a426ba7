"""Handing a study over, reading along and stopping it; and a local driver, by its lock."""

import json
import math
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from job_server import JobServer
from typer.testing import CliRunner

from tuner.cli import app
from tuner.jobs import jobs, log
from tuner.jobs.driver import driver_of
from tuner.jobs.notes import job_of
from tuner.jobs.parcel import entrypoint, from_here, own_module, packed
from tuner.search.search import Search
from tuner.storage.directory import LOCK, StudyDirectory
from tuner.storage.ledger import Ledger
from tuner.study import StudyConfig

SMALL = {"name": "small", "teachers": {"resnet": {"architecture": "small_resnet8"}}, "trials": 5}
DRIVER = """
import fcntl, os, sys, time
lock = open(sys.argv[1], "a+")
fcntl.flock(lock, fcntl.LOCK_EX)
lock.truncate(0)
print(os.getpid(), file=lock, end="", flush=True)
print("ready", flush=True)
try:
    time.sleep(300)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
"""Holds a study's lock as StudyDirectory.lock does, without its imports."""


@pytest.fixture
def tuner(tmp_path, monkeypatch):
    """``tuner("submit", …)``: run a verb in a folder with study.yaml; its exit code and output."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(SMALL))

    def run(*arguments):
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        return result.exit_code, " ".join(result.output.split())

    return run


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(jobs, "LAST_WORD", 0.0)
    with JobServer() as started:
        yield started


@pytest.fixture
def begun(tmp_path):
    """A study's directory with two trials: one failed in its second epoch, one running."""
    place, study = StudyDirectory(tmp_path / "runs" / "small"), StudyConfig.model_validate(SMALL)
    place.claim(study)
    ledger = Ledger(study, place.path)
    search = Search(study, ledger, patience=math.inf)
    search.ask()
    search.ask()
    for epoch, robust in ((1, 0.25), (2, 0.375)):
        accuracies = {"val/clean_accuracy": 0.5, "val/robust_accuracy": robust}
        ledger.report(0, {"epoch": epoch, "train/loss": 1.5, "cost/seconds": 2.0, **accuracies})
    ledger.fail(0, "diverged: train/loss was nan in epoch 3")
    place.trial(0).mkdir(parents=True)
    (place.trial(0) / "error.log").write_text("Traceback: [not] markup\n")
    return place


@pytest.fixture
def driver(begun):
    """A process that holds the study's lock and ends on SIGINT."""
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, begun.path / LOCK], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.communicate()


def test_a_study_is_handed_over_under_its_name(tuner, server, tmp_path):
    code, output = tuner("submit", "study.yaml", "--address", server.address, "--trials", 7)

    assert code == 0, output
    ((job, asked),) = server.jobs.items()
    (files,) = server.packages.values()
    assert job.startswith("small-")
    assert asked["metadata"]["tuner.study"] == "small"
    assert yaml.safe_load(files["study.yaml"])["trials"] == 7
    assert asked["entrypoint"].endswith(
        f"&& cd {tmp_path}/runs/.jobs/{job} && exec "
        f"python -m tuner run study.yaml --directory {tmp_path}/runs/small --address auto"
    )
    assert asked["runtime_env"]["env_vars"]["RAY_JOB_STOP_SIGNAL"] == "SIGINT"
    assert output.endswith("tuner logs runs/small --follow")
    assert not (tmp_path / "runs" / "small").exists()  # the driver makes it


@pytest.mark.slow
def test_a_cluster_that_has_just_begun_takes_the_study_a_little_later(tuner, server):
    server.agentless = 1

    code, output = tuner("submit", "study.yaml", "--address", server.address)

    assert code == 0, output
    assert len(server.jobs) == 1


def test_a_head_that_cannot_start_jobs_is_told_what_may_hold_its_port(tuner, server, monkeypatch):
    monkeypatch.setattr(jobs, "AGENT_PATIENCE", 0.0)
    server.agentless = 9

    code, output = tuner("submit", "study.yaml", "--address", server.address)

    assert code == 2
    assert f"the job server at {server.address} does not take the study: no agent" in output
    assert "--dashboard-agent-listen-port" in output
    assert server.jobs == {}


def test_a_driver_that_ends_at_once_is_not_said_to_run(tuner, server):
    rays = "INFO job_manager.py:581 -- Runtime env", "Running entrypoint for job 1: mkdir -p /x"
    server.begun, server.first = "FAILED", f"{rays[0]}\nmkdir: cannot create\n{rays[1]}\n"

    code, output = tuner("submit", "study.yaml", "--address", server.address)

    assert code == 2
    assert "ended at once on the head (mkdir: cannot create)" in output
    assert "this machine may leave" not in output


@pytest.mark.slow
@pytest.mark.parametrize(("status", "left"), [("SUCCEEDED", 0), ("STOPPED", 130), ("FAILED", 2)])
def test_a_study_that_is_run_from_outside_is_handed_over_and_followed(tuner, server, status, left):
    server.fate = ["RUNNING", "RUNNING", None, status]  # out of sight for a moment
    server.first = "INFO job_manager.py:581 -- Runtime env is setting up.\nstarting\n"

    code, output = tuner("run", "study.yaml", "--address", server.address)

    (job,) = server.jobs
    shown = output.partition("--follow ")[2]
    assert code == left
    assert f"job {job} at {server.address}: running this machine may leave" in output
    assert shown == (
        f"starting running now running now {status.lower()} now "
        f"job {job} at {server.address}: {status.lower()}"
    )


def test_a_job_server_that_stays_out_of_sight_does_not_make_a_failed_study(
    tuner, server, monkeypatch
):
    monkeypatch.setattr(log, "SIGHT_PATIENCE", 0.0)
    server.fate = ["RUNNING", "RUNNING", None, None]

    code, output = tuner("run", "study.yaml", "--address", server.address)

    (job,) = server.jobs
    assert code == 2
    assert f"does not answer; job {job} may run on without it" in output


def test_no_variable_of_ray_sends_a_study_elsewhere(tuner, server, monkeypatch):
    for name in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    code, output = tuner("submit", "study.yaml", "--address", server.address)

    assert code == 0, output
    assert len(server.jobs) == 1
    assert os.environ["RAY_ADDRESS"] == "http://127.0.0.1:9"


def test_a_job_that_has_ended_is_not_said_to_run(tuner, server):
    server.begun = "SUCCEEDED"

    code, output = tuner("submit", "study.yaml", "--address", server.address)

    assert code == 0
    assert "may leave" not in output
    assert output.endswith("read along with: tuner logs runs/small")


@pytest.mark.parametrize(
    "verb", [("doctor",), ("verify", "runs/small"), ("train", "c.yaml", "--workers", 2)]
)
@pytest.mark.usefixtures("begun")
def test_verbs_that_have_to_join_a_cluster_say_so_of_an_address_from_outside(tuner, verb):
    code, output = tuner(*verb, "--address", "ray://head:10001")

    assert code == 2
    assert "ray://head:10001 reaches a cluster from outside" in output
    assert output.endswith("give auto or HOST:6379 on a machine of the cluster")


@pytest.mark.usefixtures("begun")
def test_a_study_goes_on_from_outside_too(tuner, server):
    server.begun = "SUCCEEDED"

    code, output = tuner("resume", "runs/small", "--address", server.address)

    assert code == 0, output
    assert len(server.jobs) == 1


@pytest.mark.parametrize("verb", ["run", "submit"])
@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://me:hunter2@head:8265", "RAY_AUTH_TOKEN or ~/.ray/auth_token"),
        ("http://head:8265?token=hunter2", "holds a secret (http://head:8265?token=***"),
    ],
)
def test_a_secret_in_an_address_is_not_repeated(tuner, verb, address, words):
    code, output = tuner(verb, "study.yaml", "--address", address)

    assert code == 2
    assert words in output
    assert "hunter2" not in output


@pytest.mark.parametrize("option", ["--quiet", "--json"])
def test_what_is_for_programs_is_not_promised_of_a_job(tuner, server, option):
    code, output = tuner("run", "study.yaml", "--address", server.address, option)

    assert code == 2
    assert f"{option} is not for a study that is handed over to {server.address}" in output
    assert server.jobs == {}


def test_behind_rays_client_the_job_server_is_looked_for_at_its_own_port(tuner):
    code, output = tuner("run", "study.yaml", "--address", "ray://no-such-host.invalid:10001")

    assert code == 2
    assert "no Ray job server takes us at http://no-such-host.invalid:8265" in output


def test_a_study_that_runs_as_a_job_is_not_handed_over_again(tuner, server):
    tuner("submit", "study.yaml", "--address", server.address)

    code, output = tuner("submit", "study.yaml", "--address", server.address)

    (job,) = server.jobs
    assert code == 2
    assert f"study runs/small is being run as job {job}" in output


def test_a_study_that_has_a_local_driver_is_not_handed_over(tuner, server, driver):
    code, output = tuner("submit", "study.yaml", "--address", server.address)

    assert code == 2
    assert f"is being run by process {driver.pid}" in output
    assert server.jobs == {}


def test_another_study_of_the_same_name_elsewhere_may_run(tuner, server):
    tuner("submit", "study.yaml", "--address", server.address)

    code, _ = tuner(
        "submit", "study.yaml", "--address", server.address, "--directory", "runs/other"
    )

    assert code == 0


@pytest.mark.parametrize("verb", [("submit", "study.yaml", "--address"), None])
def test_a_job_server_that_is_not_there_is_one_sentence(tuner, verb, tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        note = tmp_path / "runs" / ".jobs" / "small.json"
        note.parent.mkdir(parents=True)
        note.write_text(json.dumps({"address": address, "id": "small-1"}))

        code, output = tuner(*verb, address) if verb else tuner("logs", "runs/small")

    assert code == 2
    assert f"no Ray job server takes us at {address}" in output
    assert "ray[default]" in output


def test_a_jobs_log_ends_with_how_it_stands(tuner, server):
    tuner("submit", "study.yaml", "--address", server.address)
    (job,) = server.jobs
    server.logs[job] = "first\nsecond [bold]\nthird\n"

    code, output = tuner("logs", "runs/small", "--lines", 2)

    assert code == 0
    assert output == f"second [bold] third job {job} at {server.address}: running"


def test_a_followed_log_stops_with_its_job(tuner, server):
    tuner("submit", "study.yaml", "--address", server.address)
    (job,) = server.jobs
    server.jobs[job]["status"] = "SUCCEEDED"

    code, output = tuner("logs", "runs/small", "--follow")

    assert (code, output) == (0, f"starting job {job} at {server.address}: succeeded")


def test_a_forgotten_job_says_how_to_go_on(tuner, server):
    tuner("submit", "study.yaml", "--address", server.address)
    server.jobs.clear()

    code, output = tuner("logs", "runs/small")

    assert code == 2
    assert "does not know job small-" in output
    assert "goes on with the same tuner submit" in output


@pytest.mark.usefixtures("begun")
def test_a_study_that_was_not_handed_over_has_no_log(tuner):
    code, output = tuner("logs", "runs/small")

    assert code == 2
    assert "study runs/small was not handed over with tuner submit" in output


@pytest.mark.usefixtures("begun")
def test_a_trials_log_has_its_epochs_and_what_went_wrong(tuner):
    code, output = tuner("logs", "runs/small", 0)

    assert code == 0, output
    assert "failed (diverged: train/loss was nan in epoch 3), epoch 2 of 200" in output
    assert "epoch clean % robust % loss seconds" in output
    assert "2 50.0 37.5 1.5 2" in output
    assert "Traceback: [not] markup" in output
    assert output.endswith("files: runs/small/trials/0000")


@pytest.mark.usefixtures("begun")
def test_a_trial_that_has_not_reported_is_shown_too(tuner):
    code, output = tuner("logs", "runs/small", 1)

    assert code == 0
    assert "running, epoch 0 of 200" in output


@pytest.mark.parametrize("number", [2, 99])
@pytest.mark.usefixtures("begun")
def test_a_trial_that_is_not_there_is_refused(tuner, number):
    code, output = tuner("logs", "runs/small", number)

    assert code == 2
    assert f"has no trial {number}; it has 2, numbered from 0" in output


@pytest.mark.usefixtures("begun")
def test_a_job_is_stopped_and_goes_on_by_the_same_way(tuner, server):
    tuner("submit", "study.yaml", "--address", server.address)

    code, output = tuner("stop", "runs/small")

    (job,) = server.jobs
    assert code == 0, output
    assert server.jobs[job]["status"] == "STOPPED"
    assert f"job {job} ended: stopped" in output
    assert "4 of 5 trials to go" in output
    assert output.endswith(
        f"tuner submit runs/small/study.yaml --directory runs/small --address {server.address}"
    )


@pytest.mark.usefixtures("begun")
def test_a_study_is_read_along_and_stopped_by_the_beginning_of_its_name(tuner, server):
    tuner("submit", "study.yaml", "--address", server.address)
    (job,) = server.jobs

    _, log = tuner("logs", "sma")
    code, output = tuner("stop", "sma")

    assert log == f"starting job {job} at {server.address}: running"
    assert code == 0, output
    assert f"job {job} ended: stopped" in output


@pytest.mark.usefixtures("begun")
@pytest.mark.parametrize("verb", ["logs", "stop"])
def test_a_study_that_is_not_there_is_told_from_one_that_does_not_run(tuner, verb):
    code, output = tuner(verb, "smell")

    assert code == 2
    assert "unknown study 'smell'; did you mean 'small'?" in output


@pytest.fixture
def volume(tmp_path, monkeypatch):
    """A folder that is there on the cluster alone: this machine can make nothing below it."""
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "cache"))
    (tmp_path / "studies").write_text("what is in the way of a folder")
    return tmp_path / "studies" / "runs" / "small"


def test_a_study_on_a_volume_of_the_clusters_is_handed_over_read_and_stopped(tuner, server, volume):
    at = ("--directory", volume)
    code, output = tuner("submit", "study.yaml", "--address", server.address, *at)
    ((job, asked),) = server.jobs.items()

    _, log = tuner("logs", volume)
    stopped, told = tuner("stop", volume)

    assert code == 0, output
    assert f"--directory {volume} --address auto" in asked["entrypoint"]
    assert log == f"starting job {job} at {server.address}: running"
    assert (stopped, server.jobs[job]["status"]) == (0, "STOPPED")
    assert told.endswith(f"tuner submit STUDY.yaml --directory {volume} --address {server.address}")


def test_a_local_driver_is_interrupted_and_waited_for(tuner, driver):
    code, output = tuner("stop", "runs/small")

    assert code == 0, output
    assert driver.stdout.read() == "interrupted\n"
    assert "the driver ended on SIGINT" in output
    assert output.endswith("go on with: tuner resume runs/small")


@pytest.mark.slow
def test_a_driver_that_does_not_hear_is_terminated(tuner, begun):
    deaf = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)" + DRIVER
    process = subprocess.Popen(
        [sys.executable, "-c", deaf, begun.path / LOCK], stdout=subprocess.PIPE, text=True
    )
    process.stdout.readline()

    code, output = tuner("stop", "runs/small", "--patience", 1)
    said, _ = process.communicate()

    assert code == 0, output
    assert "the driver ended on SIGTERM" in output
    assert said == ""


@pytest.mark.usefixtures("begun")
def test_who_runs_nothing_cannot_be_stopped(tuner):
    code, output = tuner("stop", "runs/small")

    assert code == 2
    assert "nobody runs study runs/small; go on with it with: tuner resume runs/small" in output


def test_a_process_that_only_has_the_drivers_number_is_left_alone(tuner, begun, driver):
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    (begun.path / LOCK).write_text(str(bystander.pid))  # as if written on another machine

    code, output = tuner("stop", "runs/small")

    assert code == 2
    assert f"process {bystander.pid} of another machine or user" in output
    assert (bystander.poll(), driver.poll()) == (None, None)
    bystander.kill()
    bystander.wait()


def test_looking_for_a_driver_keeps_none_away(begun):
    found = driver_of(begun)

    with begun.lock():
        pass
    assert found is None
    assert job_of(begun) is None


def test_paths_of_a_study_hold_wherever_its_driver_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "earlier").mkdir()
    teacher = {"architecture": "small_resnet8", "checkpoint": "teachers/t.pt"}
    study = StudyConfig.model_validate(
        {**SMALL, "teachers": {"resnet": teacher}, "warm_start": ["earlier"]}
    )

    moved = from_here(study)

    assert moved.teachers["resnet"].checkpoint == tmp_path / "teachers" / "t.pt"
    assert moved.warm_start == [str(tmp_path / "earlier")]
    assert moved.base == study.base  # ~ is each machine's own


def test_a_search_space_of_ones_own_travels_along(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("space_of_mine.py").write_text("def space(trial):\n    return {}\n")
    study = StudyConfig.model_validate({**SMALL, "search_space": "space_of_mine:space"})

    with packed(study) as folder:
        found = sorted(path.name for path in folder.iterdir())

    assert found == ["space_of_mine.py", "study.yaml"]
    assert own_module(StudyConfig.model_validate(SMALL)) is None


def test_of_a_package_of_ones_own_nothing_hidden_travels(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("__init__.py", ".env", ".git/config", "inner/.secret", "inner/data.json"):
        file = Path("package_of_mine", name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    Path("package_of_mine/spaces.py").write_text("def space(trial):\n    return {}\n")
    space = "package_of_mine.spaces:space"
    study = StudyConfig.model_validate({**SMALL, "search_space": space})

    with packed(study) as folder:
        names = {path.name for path in (folder / "package_of_mine").rglob("*") if path.is_file()}

    assert names == {"__init__.py", "spaces.py", "data.json"}


def test_a_driver_works_in_a_copy_of_what_travelled(tmp_path):
    parcel, desk = tmp_path / "parcel", tmp_path / "my runs" / ".jobs" / "small-1"
    parcel.mkdir()
    (parcel / "study.yaml").touch()
    python = tmp_path / "my python"
    python.write_text("#!/bin/sh\nrm -r ../../../parcel; pwd; ls; printf '%s|' \"$@\"\n")
    python.chmod(0o755)

    command = entrypoint(str(python), tmp_path / "my runs" / "small", desk)
    result = subprocess.run(
        command, shell=True, cwd=parcel, capture_output=True, text=True, check=True
    )

    place, listed, words = result.stdout.splitlines()
    assert (place, listed) == (str(desk), "study.yaml")
    directory = f"{tmp_path}/my runs/small"
    assert words == f"-m|tuner|run|study.yaml|--directory|{directory}|--address|auto|"
