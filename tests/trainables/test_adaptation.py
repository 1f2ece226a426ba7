import pytest
import timm
import torch
from torch import nn

from trainables.models import create_network
from trainables.models.adaptation import fit
from trainables.models.final_map import final_side
from trainables.models.strides import strided_layers


def build(architecture, side=32):
    return create_network(
        architecture, image_shape=(3, side, side), num_classes=10, mean=[0.5] * 3, std=[0.2] * 3
    )


def test_a_small_resnet18_is_the_usual_one_of_cifar_but_for_its_stem():
    model = build("resnet18").model

    assert model.conv1.stride == (1, 1)
    assert model.conv1.kernel_size == (7, 7)
    assert isinstance(model.maxpool, nn.Identity)
    assert final_side(model.eval(), torch.rand(1, 3, 32, 32)) == 4


@pytest.mark.parametrize("architecture", ["test_resnet", "test_vit", "test_mambaout"])
@pytest.mark.parametrize("side", [160, 224])
def test_large_images_are_seen_by_the_network_as_timm_makes_it(architecture, side):
    fitted = fit(architecture, (3, side, side))

    assert fitted.relaxations == ()
    assert set(fitted.settings) <= {"img_size"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "side", "last"),
    [
        *(("test_resnet", side, last) for side, last in [(8, 2), (16, 2), (32, 4), (64, 8)]),
        *(("test_convnext", side, last) for side, last in [(16, 2), (32, 4), (96, 12)]),
        *(("test_vit", side, 8) for side in (8, 16, 32, 64)),
    ],
)
def test_the_last_map_has_an_eighth_of_the_side_or_eight_patches(architecture, side, last):
    model = build(architecture, side).model.eval()

    assert final_side(model, torch.rand(1, 3, side, side)) == last


@pytest.mark.parametrize("architecture", ["test_resnet", "test_convnext", "test_byobnet"])
def test_behind_its_stem_it_sees_what_it_would_see_of_a_larger_image(architecture):
    original = timm.create_model(architecture, num_classes=10).eval()
    small = build(architecture).model.eval()

    whole = strided_layers(original, torch.rand(1, 3, 128, 128))
    rest = strided_layers(small, torch.rand(1, 3, 32, 32))

    assert rest == whole[-len(rest) :]
    assert len(rest) < len(whole)


@pytest.mark.parametrize("architecture", ["test_resnet", "test_convnext", "test_efficientnet"])
def test_taking_strides_out_leaves_every_weight_its_shape(architecture):
    original = timm.create_model(architecture, num_classes=10).state_dict()
    small = build(architecture).model.state_dict()

    assert {key: value.shape for key, value in small.items()} == {
        key: value.shape for key, value in original.items()
    }


def test_a_convolution_without_padding_keeps_its_grid():
    stem = build("test_convnext").model.stem[0]

    assert stem(torch.rand(1, 3, 32, 32)).shape[2:] == (32, 32)


def test_oblong_images_are_fitted_by_their_shorter_side():
    fitted = fit("test_resnet", (3, 32, 64))

    assert fitted.side == 4


def test_looking_for_a_fit_draws_no_random_number():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)

    fit("test_efficientnet", (3, 40, 40))

    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("architecture", ["small_resnet6", "cifar_resnet18", "wide_resnet_10_1"])
def test_our_own_networks_are_left_alone(architecture):
    fitted = fit(architecture, (3, 32, 32))

    assert fitted.relaxations == ()
    assert fitted.settings == {}


def test_what_cannot_work_names_the_smallest_size_that_does():
    with pytest.raises(ValueError, match="does not work on images of 16x16 pixels: ") as error:
        build("vit_tiny_patch4_32", 16)

    assert str(error.value).endswith("the smallest size that works is 32x32")
