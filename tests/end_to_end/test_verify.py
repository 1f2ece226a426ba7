"""``tuner verify`` with the real Ray: killed, gone on with, and what follows from its numbers."""

import json
import os
import shutil
import signal
import subprocess
import time

import pytest
from run_tuner import TUNER, tuner, verb

pytestmark = pytest.mark.end_to_end

ASKED = ["verify", "runs/digits", "--seeds", "2", "--images", "40", "--neighbours", "0"]
ASKED += ["--attack", "apgd-ce", "--epsilon", "0.1", "--no-gates"]


@pytest.fixture(scope="module")
def before(finished, tmp_path_factory):
    """A copy of the finished study that nobody has verified."""
    folder = tmp_path_factory.mktemp("verify")
    shutil.copytree(finished[0] / "runs", folder / "runs")
    shutil.rmtree(folder / "runs/digits/verification", ignore_errors=True)  # of other tests
    return folder


@pytest.fixture(scope="module")
def killed(before, tmp_path_factory):
    """A copy whose verification was killed once the first new student was trained."""
    folder = tmp_path_factory.mktemp("killed")
    shutil.copytree(before / "runs", folder / "runs")
    driver = subprocess.Popen(
        [*TUNER, *ASKED], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(folder, "*/*/checkpoint.pt", driver)
    finally:
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
    return folder


@pytest.fixture(scope="module")
def verified(killed):
    """The same after the same command again, and what it printed."""
    result = tuner(killed, *ASKED)
    assert result.returncode == 0, result.stdout + result.stderr
    return killed, result


def wait_for(folder, pattern, driver):
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and driver.poll() is None:
        if list((folder / "runs/digits/verification").glob(pattern)):
            return
        time.sleep(0.02)
    pytest.fail(f"the driver ended or stalled before {pattern} (exit {driver.poll()})")


def numbers(folder):
    content = json.loads((folder / "runs/digits/verification/verification.json").read_text())
    return {
        (member["trial"], run["seed"]): [row["correct"] for row in run["measured"]]
        for member in content["members"]
        for run in member["runs"]
    }


def test_before_it_the_test_split_is_closed(before):
    result = verb(before, "front", "runs/digits", "--split", "test")

    assert result.returncode == 2
    assert "has not been opened" in result.stderr
    assert "tuner verify runs/digits" in " ".join(result.stderr.split())


def test_killed_and_run_again_it_ends_with_the_numbers_of_an_undisturbed_run(verified, before):
    undisturbed = tuner(before, *ASKED)

    assert undisturbed.returncode == 0, undisturbed.stdout + undisturbed.stderr
    assert numbers(verified[0]) == numbers(before)
    assert {seed for _, seed in numbers(before)} == {0, 1}


def test_a_second_time_nothing_is_trained_or_measured(verified):
    folder, first = verified
    files = list((folder / "runs/digits/verification").glob("*/*/*"))
    times = {path: path.stat().st_mtime_ns for path in files}

    again = verb(folder, *ASKED)

    assert again.returncode == 0, again.stderr
    assert "starting Ray" in first.stdout
    assert "starting Ray" not in again.stdout
    assert {path: path.stat().st_mtime_ns for path in files} == times


def test_a_number_is_that_of_tuner_evaluate(verified):
    folder, _ = verified
    (trial, seed), correct = next(iter(numbers(folder).items()))
    assert seed == 0
    options = ["--attack", "apgd-ce", "--epsilon", "0.1,0.2", "--images", "40", "--no-gates"]

    result = verb(folder, "evaluate", f"runs/digits/trials/{trial:04d}", *options, "--output", "e")

    assert result.returncode == 0, result.stderr
    rows = json.loads((folder / "e" / "robustness.json").read_text())["accuracies"]
    evaluated = {(row["metric"], row["epsilon"]): row["correct"] for row in rows}
    assert correct[0] == evaluated["test/clean_accuracy", 0.0]
    assert correct[2] == evaluated["test/apgd_ce_accuracy", 0.1]
    assert correct[4] == evaluated["test/apgd_ce_accuracy", 0.2]


def test_the_front_on_the_test_split_and_picks_on_it(verified):
    folder, _ = verified

    front = verb(folder, "front", "runs/digits", "--split", "test")
    picked = verb(folder, "export", "runs/digits", "--pick", "max-clean")
    by_validation = verb(
        folder, "export", "runs/digits", "--pick", "max-clean", "--on", "validation"
    )

    assert "Verified front of digits" in front.stdout
    assert "on 40 test images; robust: APGD-CE, Linf epsilon 0.2" in " ".join(front.stdout.split())
    assert front.stdout.splitlines()[-1] == "plot: runs/digits/verification/verification.png"
    assert "on verified numbers: " in picked.stdout
    assert "40 test images, 2 seeds" in picked.stdout
    assert "on validation numbers: " in by_validation.stdout


def test_two_at_a_time_are_refused_and_ctrl_c_says_how_to_go_on(before, tmp_path):
    shutil.copytree(before / "runs", tmp_path / "runs")
    shutil.rmtree(tmp_path / "runs/digits/verification", ignore_errors=True)
    driver = subprocess.Popen(
        [*TUNER, *ASKED],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wait_for(tmp_path, "*/*/status.txt", driver)

    second = verb(tmp_path, *ASKED)
    driver.send_signal(signal.SIGINT)
    output, _ = driver.communicate(timeout=600)

    assert second.returncode == 2
    assert "is being verified by process" in second.stderr
    assert driver.returncode == 130
    told = "the same command goes on: tuner verify runs/digits, with the same options"
    assert told in output
    assert "Traceback" not in output


def test_less_than_before_is_warned_of_measures_nothing_and_is_taken_back(verified):
    folder, _ = verified
    before = numbers(folder)
    less = ["1" if word == "2" else word for word in ASKED]

    weaker = verb(folder, *less)
    fewer = numbers(folder)
    again = verb(folder, *ASKED)

    assert "this takes the place of the front that was verified so far" in weaker.stdout
    assert "starting Ray" not in weaker.stdout + again.stdout
    assert len(fewer) < len(before)
    assert "takes the place" not in again.stdout
    assert numbers(folder) == before
