"""The fuzzer finds what it looks for, and of what it tries with a fixed seed nothing is a fault."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.fuzz.__main__ import spread
from benchmarks.fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]

JUDGE = """
import os, pathlib, socket, subprocess, sys, time
from benchmarks.fuzz.guard import Guard
from benchmarks.fuzz.verdicts import judge

def raises(error):
    raise error

def spins():
    while True:
        pass

ACTIONS = {
    "nothing": lambda path: None,
    "sentence": lambda path: raises(ValueError(f"{path} is no good, got 3")),
    "inside": lambda path: path.with_name("new").write_text("x"),
    "crash": lambda path: raises(KeyError("x")),
    "lines": lambda path: raises(ValueError("one" + chr(10) + "two")),
    "length": lambda path: raises(ValueError("x" * 2000)),
    "write": lambda path: pathlib.Path("/tmp/fuzzed").write_text("x"),
    "read": lambda path: pathlib.Path("/etc/passwd").read_text(),
    "escape": lambda path: (path.parent / ".." / "fuzzed").mkdir(),
    "run": lambda path: os.system("true"),
    "start": lambda path: subprocess.run(["true"]),
    "connect": lambda path: socket.create_connection(("127.0.0.1", 9)),
    "code": lambda path: exec("1"),
    "memory": lambda path: bytearray(os.urandom(1)) * 700_000_000,
    "time": lambda path: spins(),
}
path = pathlib.Path(sys.argv[1]).resolve() / "file"
print(judge(ACTIONS[sys.argv[2]], path, Guard(path.parent)).kind)
"""


def python(*arguments, cwd=ROOT):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("action", "verdict"),
    [
        ("nothing", "accepted"),
        ("sentence", "refused"),
        ("inside", "accepted"),
        *((action, "fault") for action in ("crash", "lines", "length", "write", "read", "escape")),
        *((action, "fault") for action in ("run", "start", "connect", "code", "memory", "time")),
    ],
)
def test_what_a_reader_must_not_do_is_a_fault(action, verdict, tmp_path):
    found = python("-c", JUDGE, str(tmp_path), action)

    assert found.stdout.strip() == verdict, found.stderr
    assert not Path("/tmp/fuzzed").exists()


@pytest.mark.slow
def test_hostile_files_of_every_kind_are_refused_or_read(tmp_path):
    output = tmp_path / "figures.json"

    found = python(
        "-m", "benchmarks.fuzz", "--inputs", "1000", "--seed", "7", "--output", str(output)
    )

    assert found.returncode == 0, found.stdout + found.stderr
    figures = json.loads(output.read_text())["targets"]
    assert figures.keys() == TARGETS.keys()
    assert sum(target["inputs"] for target in figures.values()) == 1000
    assert all(target["refused"] for target in figures.values())
    assert sum(target["faults"] for target in figures.values()) == 0


def test_any_part_of_the_inputs_has_all_kinds():
    inputs = spread(10_000, 0, list(TARGETS))

    assert len(inputs) == len(set(inputs)) == 10_000
    assert {one.target for one in inputs[:200]} == TARGETS.keys()


@pytest.mark.parametrize("name", TARGETS)
def test_an_input_is_the_same_everywhere(name):
    first, again, other = (spread(9, seed, [name])[0] for seed in (3, 3, 4))

    assert first.content() == again.content()
    assert first.content() != other.content()
