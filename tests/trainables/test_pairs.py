import pytest
import torch

from trainables.single import train
from trainables.teachers import check_pair

RECIPE = {"architecture": "wide_resnet_10_1", "training": {"epochs": 1, "batch_size": 400}}


@pytest.fixture
def tapping(trial):
    """``tapping(taps)``: a small student whose feature maps are compared with a WideResNet's."""

    def create(taps, **teacher):
        return trial(
            student={"architecture": "small_resnet6"},
            teacher={**RECIPE, **teacher},
            alignments={"covariance": {"weight": 1.0, "taps": taps}},
        )

    return create


@pytest.mark.parametrize(
    ("taps", "message"),
    [
        ([["blocks.9", "block3"]], "unknown layer of SmallResNet 'blocks.9'"),
        ([["blocks.0", "blok3"]], "unknown layer of WideResNet 'blok3'; did you mean 'block3"),
        ([-9], "SmallResNet has no feature layers"),
    ],
)
def test_a_layer_that_one_of_two_networks_lacks_is_refused_before_the_teacher_is_trained(
    taps, message, tapping, tmp_path
):
    with pytest.raises(ValueError, match=message):
        next(train(tapping(taps), tmp_path / "student.pt", tmp_path / "teachers"))

    assert not (tmp_path / "teachers").exists()


def test_layers_that_both_networks_have_are_taken(tapping):
    check_pair(tapping([["blocks.0", "block3"], -1]))


def test_a_teacher_of_which_a_file_tells_the_architecture_is_tapped_as_that(
    tapping, network, tmp_path
):
    torch.save(network("wide_resnet_10_1").model.state_dict(), tmp_path / "public.pt")
    file = {"architecture": "auto", "checkpoint": tmp_path / "public.pt"}

    with pytest.raises(ValueError, match="unknown layer of WideResNet 'layer4'"):
        check_pair(tapping([["blocks.0", "layer4"]], **file))


def test_weights_that_do_not_fit_the_student_are_refused_before_the_teacher_is_trained(
    trial, network, tmp_path
):
    torch.save(network("wide_resnet_10_1").model.state_dict(), tmp_path / "other.pt")
    beginning = {"architecture": "small_resnet6", "checkpoint": tmp_path / "other.pt"}
    config = trial(student=beginning, teacher=RECIPE, method={"name": "kd"})

    with pytest.raises(ValueError, match="is not of architecture 'small_resnet6'"):
        next(train(config, tmp_path / "student.pt", tmp_path / "teachers"))

    assert not (tmp_path / "teachers").exists()


def test_a_student_s_weights_may_lie_in_the_home_folder(trial, network, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    torch.save(network("small_resnet6").model.state_dict(), tmp_path / "begun.pt")
    beginning = {"architecture": "small_resnet6", "checkpoint": "~/begun.pt"}

    check_pair(trial(student=beginning, teacher=RECIPE, method={"name": "kd"}))
