"""Every sentence in docs/messages.md, produced by its own files and commands."""

import re
import shlex

import pytest
import torch
from documents import DOCS, blocks
from typer.testing import CliRunner
from written_study import write_study

from trainables.models import create_network
from tuner.cli import app
from tuner.storage.directory import StudyDirectory

PAGE = DOCS / "messages.md"
CASES = [tuple(block.text.strip().split("\n")) for block in blocks(PAGE, "text")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the page's files, two studies, one that is being run, and foreign weights."""
    place = tmp_path_factory.mktemp("messages")
    for block in blocks(PAGE, "yaml"):
        (place / block.title).write_text(block.text)
    network = create_network(
        "small_resnet6", image_shape=(1, 8, 8), num_classes=10, mean=[0.0], std=[1.0]
    )
    torch.save(network.model.state_dict(), place / "weights.pt")
    write_study(place / "runs", "digits")
    write_study(place / "runs", "digits-wide")
    busy = StudyDirectory(write_study(place / "runs", "busy"))
    with busy.lock():
        yield place


def test_the_page_has_its_cases():
    assert len(CASES) >= 15
    assert all(len(case) == 2 for case in CASES)


@pytest.mark.slow
@pytest.mark.parametrize(("command", "sentence"), CASES)
def test_the_sentence_is_what_the_command_says(command, sentence, folder, monkeypatch):
    monkeypatch.chdir(folder)
    verb = shlex.split(command.removeprefix("$ tuner "))

    result = CliRunner().invoke(app, verb)

    assert result.exit_code == 2
    assert sentence.startswith("error: ")
    parts = [re.escape(part) for part in sentence.split("…")]
    assert re.search(f"^{'.*'.join(parts)}$", result.output.strip(), re.MULTILINE), result.output
