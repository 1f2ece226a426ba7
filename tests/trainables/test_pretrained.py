from dataclasses import replace

import pytest
import timm
import torch
from pydantic import ValidationError
from timm.models import _registry

from trainables.config import StudentConfig
from trainables.distillation import Distillation
from trainables.models import create_network

NAME = "test_resnet.r160_in1k"


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """Timm finds the weights of test_resnet in this file instead of on its hub."""
    file = tmp_path / "weights.pth"
    known = replace(timm.get_pretrained_cfg(NAME), file=str(file), url="", hf_hub_id=None)
    for name in (NAME, NAME.partition(".")[0]):
        monkeypatch.setitem(_registry._model_pretrained_cfgs, name, known)
    return file


def save(file):
    network = timm.create_model("test_resnet")
    torch.save(network.state_dict(), file)
    return network


def pretrained(channels=3, side=32):
    return create_network(
        "test_resnet",
        image_shape=(channels, side, side),
        num_classes=4,
        mean=[0.5] * channels,
        std=[0.2] * channels,
        pretrained=True,
    )


def test_timms_weights_are_kept_when_strides_are_taken_out(weights):
    original = save(weights)

    model = pretrained().model

    assert model.conv1[0].stride == (1, 1) != original.conv1[0].stride
    assert torch.equal(model.conv1[0].weight, original.conv1[0].weight)
    assert torch.equal(model.layer4[0].conv1.weight, original.layer4[0].conv1.weight)
    assert model.fc.weight.shape == (4, 96)


def test_one_channel_sees_the_sum_of_the_three(weights):
    original = save(weights)

    model = pretrained(channels=1).model

    torch.testing.assert_close(
        model.conv1[0].weight, original.conv1[0].weight.sum(dim=1, keepdim=True)
    )


@pytest.mark.slow
def test_a_trial_begins_with_them(weights, trial):
    original = save(weights)
    student = {"architecture": "test_resnet", "pretrained": True}

    distillation = Distillation.build(trial(student=student, teacher=None))

    begun = distillation.student.model.layer4[0].conv1.weight
    assert torch.equal(begun, original.layer4[0].conv1.weight)


@pytest.mark.usefixtures("weights")
def test_weights_that_cannot_be_had_are_one_sentence():
    with pytest.raises(ValueError, match="timm could not load its pretrained weights") as error:
        pretrained()

    assert "(FileNotFoundError)" in str(error.value)
    assert "\n" not in str(error.value)


def test_ours_have_none():
    with pytest.raises(ValidationError, match="timm has no pretrained weights for 'small_resnet6'"):
        StudentConfig(architecture="small_resnet6", pretrained=True)


def test_a_student_begins_with_one_set_of_weights(tmp_path):
    with pytest.raises(ValidationError, match="or with a checkpoint, got both"):
        StudentConfig(architecture="resnet18", pretrained=True, checkpoint=tmp_path / "x.pt")
