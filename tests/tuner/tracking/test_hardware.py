"""What a trial ran on, from its worker's own file."""

import json

import pytest

from trainables.machine.hardware import HardwareConfig, machine, resolved
from tuner.tracking.hardware import hardware_tags


def test_the_workers_file_becomes_tags_and_words(tmp_path):
    own = {**machine(resolved(HardwareConfig(device="cpu", threads=2))), "chip": "x86_64"}
    (tmp_path / "machine.json").write_text(json.dumps({**own, "torch": "2.15.0"}))

    tags = hardware_tags(tmp_path)

    words = "cpu x86_64, float32, channels_last, not compiled, 2 threads, torch 2.15.0"
    assert tags["tuner.hardware"] == words
    assert tags["tuner.device"] == "cpu"
    assert tags["tuner.precision"] == "float32"


@pytest.mark.parametrize("content", [None, "", "{", '{"device": "cpu"}'])
def test_a_file_that_is_not_whole_says_nothing(tmp_path, content):
    if content is not None:
        (tmp_path / "machine.json").write_text(content)

    assert hardware_tags(tmp_path) == {}
