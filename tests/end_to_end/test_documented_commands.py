"""Every command of README and docs, run in the order in which a reader comes to it."""

import shlex
import subprocess

import pytest
import torch
from documents import DOCS, NOT_RUN, blocks, documented
from run_tuner import TUNER
from typer.testing import CliRunner

from trainables.models import create_network
from tuner.cli import app

pytestmark = pytest.mark.end_to_end

WITH_RAY = {"run", "resume", "verify"}
"""Verbs that start Ray, so in a process of their own."""


@pytest.fixture
def reader(finished, monkeypatch):
    """Somebody in the folder of a finished study, who has the weights of another project, too."""
    folder, _ = finished
    monkeypatch.chdir(folder)
    network = create_network(
        "small_resnet6", image_shape=(1, 8, 8), num_classes=10, mean=[0.0], std=[1.0]
    )
    torch.save(network.model.state_dict(), folder / "weights.pt")
    return folder


def outcome(arguments):
    """Exit code and output of a verb."""
    if arguments[0] in WITH_RAY and "--dry-run" not in arguments:
        run = subprocess.run([*TUNER, *arguments], capture_output=True, text=True, check=False)
        return run.returncode, run.stdout + run.stderr
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, f"{result.output}{result.exception or ''}"


@pytest.mark.usefixtures("reader")
@pytest.mark.filterwarnings("default")  # as for a user
def test_the_commands_run_in_their_order():
    to_run = [command for command in documented() if command not in NOT_RUN]

    outcomes = {command: outcome(shlex.split(command)[1:]) for command in to_run}

    failed = [
        f"{command} ended with {code}: {output[-800:]}"
        for command, (code, output) in outcomes.items()
        if code != 0
    ]
    assert not failed, "\n".join(failed)
    assert len(outcomes) >= 25


@pytest.mark.filterwarnings("default")
def test_the_python_page_runs_as_a_notebook_would(reader):
    cells = [block.text for block in blocks(DOCS / "python.md", "python")]
    cells[0] = cells[0].replace("study.run()", 'study = Study.open("runs/digits")')
    names = {}

    for cell in cells:
        exec(compile(cell.replace("runs/small", "runs/digits"), "python.md", "exec"), names)

    assert len(names["study"].front) == len(names["study"].results.front) > 0
    assert len(names["measured"].table) == 3 * 1 + 2
    assert {"front.html", "curves.png"} <= {path.name for path in reader.iterdir()}
    assert names["path"].is_file()
