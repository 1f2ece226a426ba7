"""A finished student as safetensors with its config inside."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from trainables.distillation import Distillation
from trainables.models.checkpoints import load_weights, read_checkpoint
from trainables.models.student_file import write_student


@pytest.fixture
def distillation(trial):
    run = Distillation.build(trial(teacher=None, averaging={"name": "ema", "start": 0.0}))
    run.train_epoch()
    return run


@pytest.fixture
def state(distillation):
    return distillation.state_dict()


def test_it_reads_back_as_a_checkpoint_with_the_weights_to_be_used(state, tmp_path):
    path = write_student(state, tmp_path / "student.safetensors", provenance={"trial": 7})

    found = read_checkpoint(path)

    assert found["config"] == state["config"]
    assert (found["epoch"], found["provenance"]) == (1, {"trial": 7})
    torch.testing.assert_close(found["student"], dict(state["result"]), rtol=0, atol=0)
    assert any(not torch.equal(found["student"][k], state["student"][k]) for k in found["student"])


def test_it_holds_no_training_state(state, tmp_path):
    path = write_student(state, tmp_path / "student.safetensors")

    with safe_open(path, framework="pt") as file:
        assert set(file.keys()) == set(state["student"])
        assert set(file.metadata()) == {"format", "config", "machine", "epoch"}


def test_another_network_can_begin_with_it(state, network, tmp_path):
    path = write_student(state, tmp_path / "student.safetensors")
    other = network()

    load_weights(other, path, "small_resnet6")

    torch.testing.assert_close(other.state_dict(), dict(state["result"]), rtol=0, atol=0)


def test_channels_last_weights_are_written(state, tmp_path):
    state["result"] = {
        key: value.to(memory_format=torch.channels_last) if value.ndim == 4 else value
        for key, value in state["result"].items()
    }

    path = write_student(state, tmp_path / "student.safetensors")

    torch.testing.assert_close(read_checkpoint(path)["student"], dict(state["result"]))


def test_another_projects_file_is_weights_alone(tmp_path):
    path = tmp_path / "theirs.safetensors"
    save_file({"weight": torch.ones(2)}, path, {"format": "pt"})

    assert read_checkpoint(path).keys() == {"weight"}


def test_a_broken_description_is_one_sentence(tmp_path):
    path = tmp_path / "broken.safetensors"
    save_file({"weight": torch.ones(2)}, path, {"config": json.dumps({})[:-1]})

    with pytest.raises(ValueError, match="cannot be read as weights"):
        read_checkpoint(path)
