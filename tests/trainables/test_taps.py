import pytest
import timm
import torch

from trainables.models import Network
from trainables.models.taps import logits_and_features


def model(name, **settings):
    return timm.create_model(name, num_classes=10, **settings).eval()


@pytest.mark.parametrize(
    ("architecture", "layer", "shape"),
    [
        ("test_resnet", "layer3", (2, 16, 192)),
        ("test_resnet", "global_pool", (2, 1, 96)),
        ("test_convnext", "stages.1", (2, 16, 32)),
        ("test_vit", "blocks.2", (2, 4, 64)),
        ("test_vit", "patch_embed", (2, 4, 64)),
    ],
)
def test_a_named_layer_comes_as_batch_positions_channels(architecture, layer, shape):
    settings = {"img_size": 32} if "vit" in architecture else {}
    side = 64 if architecture == "test_resnet" else 32
    images = torch.rand(2, 3, side, side)

    _, features = logits_and_features(model(architecture, **settings), images, [layer])

    assert features[layer].shape == shape


def test_a_named_layer_is_what_the_module_gives():
    network, images = model("test_resnet"), torch.rand(2, 3, 64, 64)
    stem = network.maxpool(network.act1(network.bn1(network.conv1(images))))
    expected = network.layer2(network.layer1(stem))

    _, features = logits_and_features(network, images, ["layer2"])

    torch.testing.assert_close(features["layer2"], expected.flatten(2).transpose(1, 2))


def test_a_stage_by_name_is_the_stage_by_place():
    network, images = model("test_resnet"), torch.rand(2, 3, 64, 64)

    logits, features = logits_and_features(network, images, ["layer4", -1, "layer3", -2])

    assert list(features) == [-2, -1, "layer4", "layer3"]
    assert torch.equal(features["layer4"], features[-1])
    assert torch.equal(features["layer3"], features[-2])
    torch.testing.assert_close(logits, network(images))


def test_swins_channels_are_last_in_its_modules_and_in_the_result():
    settings = {
        "img_size": 32,
        "patch_size": 2,
        "embed_dim": 24,
        "depths": (1, 1),
        "num_heads": (2, 4),
    }
    network = model("swin_tiny_patch4_window7_224", **settings)
    images = torch.rand(2, 3, 32, 32)

    _, features = logits_and_features(network, images, [-1, "layers.1", "layers.0"])

    assert features["layers.1"].shape == (2, 64, 48)
    assert features["layers.0"].shape == (2, 256, 24)
    torch.testing.assert_close(features["layers.1"], features[-1])


def test_class_and_register_tokens_are_left_out():
    network = model("test_vit", img_size=32)
    captured = []
    network.blocks[1].register_forward_hook(lambda *passed: captured.append(passed[-1]))

    _, features = logits_and_features(network, torch.rand(1, 3, 32, 32), ["blocks.1"])

    assert captured[0].shape[1] == 5
    assert torch.equal(features["blocks.1"], captured[0][:, 1:])


def test_gradients_flow_through_a_named_layer_to_the_images():
    network, images = model("test_resnet"), torch.rand(2, 3, 64, 64, requires_grad=True)

    _, features = logits_and_features(network, images, ["layer1"])

    (gradient,) = torch.autograd.grad(features["layer1"].square().sum(), images)
    assert gradient.abs().sum() > 0


def test_no_hook_is_left_behind():
    network = model("test_resnet")

    logits_and_features(network, torch.rand(1, 3, 64, 64), ["layer1"])
    with pytest.raises(ValueError, match="unknown layer"):
        logits_and_features(network, torch.rand(1, 3, 64, 64), ["layer1", "layer9"])

    assert all(not module._forward_hooks for module in network.modules())


def test_an_unknown_layer_is_refused_with_the_nearest_name():
    with pytest.raises(ValueError, match="unknown layer of ResNet 'layer33'; did you mean 'layer3"):
        logits_and_features(model("test_resnet"), torch.rand(1, 3, 64, 64), ["layer33"])


def test_a_module_that_is_not_run_gives_no_feature_map():
    network = model("test_resnet")
    network.register_module("unused", torch.nn.Identity())

    with pytest.raises(ValueError, match=r"'unused' of ResNet gives no feature map .*'layer4'"):
        logits_and_features(network, torch.rand(1, 3, 64, 64), ["unused"])


def test_a_model_that_counts_no_layers_says_to_name_them():
    plain = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 10))

    with pytest.raises(ValueError, match="Sequential does not count its feature layers"):
        Network(plain, [0.0] * 3, [1.0] * 3).outputs(torch.rand(1, 3, 2, 2), (-1,))
