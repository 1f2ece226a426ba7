"""Our own networks: the sizes and the keys of the papers' checkpoints."""

import pytest
import timm
import torch
from torch.nn import functional as F

from trainables.models import check_architecture, cost, create_network, known_architectures
from trainables.models.deepmind_wide_resnet import DeepMindBlock

SIZES = {
    "cifar_resnet18": 11_173_962,
    "cifar_resnet34": 21_282_122,
    "cifar_resnet50": 23_520_842,
    "cifar_resnet20": 269_722,
    "cifar_resnet56": 853_018,
    "cifar_preact_resnet18": 11_172_170,
    "cifar_mobilenetv2": 2_296_922,
    "wide_resnet_16_2": 691_674,
    "wide_resnet_28_10": 36_479_194,
    "wide_resnet_34_10": 46_160_474,
    "wide_resnet_34_20": 184_531_674,
    "dm_wide_resnet_28_10": 36_479_194,
    "dm_wide_resnet_70_16": 266_796_506,
    "dm_wide_resnet_94_16": 365_915_610,
}
"""Parameters with three colours and ten classes, as published or as counted in public code."""

SMALL = ["cifar_resnet20", "cifar_preact_resnet18", "cifar_mobilenetv2", "dm_wide_resnet_10_1"]


def build(architecture, side=32):
    return create_network(
        architecture, image_shape=(3, side, side), num_classes=10, mean=[0.5] * 3, std=[0.2] * 3
    )


@pytest.mark.slow
@pytest.mark.parametrize(("architecture", "parameters"), SIZES.items())
def test_the_networks_have_the_published_sizes(architecture, parameters):
    assert cost(architecture, (3, 32, 32), 10).parameters == parameters


def test_the_deepmind_networks_have_the_keys_of_their_checkpoints():
    keys = set(build("dm_wide_resnet_16_1").model.state_dict())

    block = {
        f"layer.2.block.0.{name}"
        for name in ("batchnorm_0.weight", "conv_0.weight", "batchnorm_1.bias", "conv_1.weight")
    }
    assert block | {"layer.2.block.0.shortcut.weight", "init_conv.weight"} <= keys
    assert {"batchnorm.running_mean", "logits.weight", "logits.bias"} <= keys
    assert {key.split(".")[0] for key in keys} == {"init_conv", "layer", "batchnorm", "logits"}
    assert "layer.2.block.1.shortcut.weight" not in keys


def test_a_deepmind_block_pads_as_tensorflow_does():
    block, images = DeepMindBlock(3, 5, 2).eval(), torch.rand(2, 3, 8, 8)

    output = block(images)

    active = F.silu(block.batchnorm_0(images))
    first = F.conv2d(F.pad(active, (0, 1, 0, 1)), block.conv_0.weight, stride=2)
    second = F.conv2d(F.silu(block.batchnorm_1(first)), block.conv_1.weight, padding=1)
    shortcut = F.conv2d(active, block.shortcut.weight, stride=2)
    torch.testing.assert_close(output, second + shortcut)


def test_preact_resnet_has_the_keys_of_its_checkpoints():
    keys = set(build("cifar_preact_resnet18").model.state_dict())

    assert {key.split(".")[0] for key in keys} == {
        *("conv1", "layer1", "layer2", "layer3", "layer4", "bn", "linear")
    }
    assert {f"layer2.0.{name}.weight" for name in ("bn1", "conv1", "bn2", "conv2")} <= keys
    assert {key for key in keys if "shortcut" in key} == {
        f"layer{stage}.0.shortcut.0.weight" for stage in (2, 3, 4)
    }


def test_mobilenet_has_the_keys_of_its_checkpoints():
    keys = set(build("cifar_mobilenetv2").model.state_dict())

    assert {key.split(".")[0] for key in keys} == {
        *("conv1", "bn1", "layers", "conv2", "bn2", "linear")
    }
    assert {key.split(".")[1] for key in keys if key.startswith("layers")} == {
        str(number) for number in range(17)
    }
    assert {"layers.0.conv3.weight", "layers.0.shortcut.1.running_var"} <= keys
    assert "layers.3.shortcut.0.weight" not in keys


def test_a_thin_block_hands_on_its_input_subsampled_and_padded_with_zeros():
    block = build("cifar_resnet20").model.layer2[0].eval()
    block.bn2.weight.data.zero_()
    images = torch.rand(2, 16, 8, 8)

    output = block(images)

    torch.testing.assert_close(output[:, 8:24], images[:, :, ::2, ::2])
    assert output[:, :8].abs().sum() + output[:, 24:].abs().sum() == 0


@pytest.mark.parametrize("architecture", SMALL)
def test_logits_come_with_the_features_that_make_them(architecture):
    network, images = build(architecture).eval(), torch.rand(2, 3, 32, 32)

    output = network.outputs(images, (-1, -2))

    torch.testing.assert_close(output.logits, network(images))
    pooled = output.features[-1].mean(dim=1)
    head = getattr(network.model, "linear", None) or network.model.logits
    torch.testing.assert_close(head(pooled), output.logits)


@pytest.mark.parametrize(
    ("architecture", "positions"),
    [("vit_tiny_patch2_16", 64), ("vit_tiny_patch4_32", 64), ("vit_small_patch4_32", 64)],
)
def test_our_vits_see_sixty_four_patches(architecture, positions):
    side = int(architecture.rpartition("_")[2])

    features = build(architecture, side).outputs(torch.rand(1, 3, side, side), (-1,)).features

    assert features[-1].shape[1] == positions


@pytest.mark.parametrize("architecture", ["wide_resnet_22_3", "dm_wide_resnet_10_2"])
def test_any_wide_resnet_is_there_when_it_is_named(architecture):
    assert check_architecture(architecture) == architecture
    assert timm.is_model(architecture)
    assert build(architecture, 8)(torch.rand(1, 3, 8, 8)).shape == (1, 10)


@pytest.mark.parametrize("architecture", ["wide_resnet_12_1", "dm_wide_resnet_4_10"])
def test_a_depth_that_no_wide_resnet_has_is_refused_by_its_rule(architecture):
    depth = architecture.split("_")[-2]

    with pytest.raises(ValueError, match=rf"must be 6n \+ 4 with n >= 1 .* got {depth}$"):
        check_architecture(architecture)


def test_a_wide_resnet_without_width_is_unknown():
    with pytest.raises(ValueError, match="unknown architecture 'wide_resnet_16_0'; did you mean"):
        check_architecture("wide_resnet_16_0")


@pytest.mark.parametrize("architecture", [*SIZES, "vit_tiny_patch4_32"])
def test_listings_show_them(architecture):
    assert architecture in known_architectures()


@pytest.mark.parametrize("name", ["wide_resnet_600004_1", "dm_wide_resnet_28_1000"])
def test_a_network_that_nobody_could_build_is_refused_at_once(name):
    with pytest.raises(ValueError, match="at most 1000 and a width of at most 64, got"):
        check_architecture(name)
