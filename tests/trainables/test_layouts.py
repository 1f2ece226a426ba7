"""Checkpoints in the layouts of the field, from random weights, through the public path."""

import argparse
from collections import OrderedDict

import numpy as np
import pytest
import timm
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

from trainables.config import TrialConfig
from trainables.models import create_network
from trainables.models.layouts import (
    CONVNEXTS,
    DISTILLED,
    RESNETS,
    SMALL,
    SWINS,
    VITS,
    XCITS,
    facts_of,
)
from trainables.models.normalization import KNOWN
from trainables.teachers import (
    check_teacher,
    load_teacher,
    network_from_file,
    prepare_teacher,
)

CIFAR10 = KNOWN["cifar10"]
MEAN, STD = (torch.tensor(v).view(1, 3, 1, 1) for v in (CIFAR10.mean, CIFAR10.std))
IMAGES = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="session")
def glyphs(tmp_path_factory):
    """``glyphs(path, **teacher)``: a trial on small colour images, taught by a file."""
    root = tmp_path_factory.mktemp("glyphs")

    def create(path, **teacher):
        return TrialConfig.model_validate(
            {
                "data": {"name": "glyphs", "images": 200, "root": root},
                "method": {"name": "kd"},
                # random weights promise nothing
                "teacher": {"checkpoint": path, "clean_accuracy": 0.1, "tolerance": 1.0, **teacher},
                "hardware": {"device": "cpu"},
            }
        )

    return create


def alive(network):
    """The network with weights and statistics that all matter, in eval mode."""
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
    return network.eval()


def plain(architecture, num_classes=10, side=32):
    """A network of ours that leaves images as they are."""
    shape = (3, side, side)
    network = create_network(
        architecture, image_shape=shape, num_classes=num_classes, mean=[0.0] * 3, std=[1.0] * 3
    )
    return alive(network)


def under(prefix, weights):
    return {prefix + key: value for key, value in weights.items()}


def statistics(mean, std):
    return {mean: MEAN.clone(), std: STD.clone()}


def robustness(weights):
    once = {**under("model.", weights), **statistics("normalizer.new_mean", "normalizer.new_std")}
    again = {
        **under("attacker.model.", weights),
        **statistics("attacker.normalize.new_mean", "attacker.normalize.new_std"),
    }
    options = argparse.Namespace(eps=4.0, constraint="inf")
    return {"model": under("module.", {**once, **again}), "epoch": 105, "args": options}


WRAPPED = {
    "TRADES raw": ("model_cifar_wrn.pt", lambda w: w, False),
    "LTD and RSLAD, DataParallel": ("ltd.pt", lambda w: under("module.", w), False),
    "ARD and KDIGA": ("ard.t7", lambda w: {"net": w, "optimizer": {"state": {}}}, False),
    "AdaAD": (
        "adaad.pth",
        lambda w: {"net": w, "clean_acc": np.float64(0.8), "PGD10_acc": 0.5, "epoch": 199},
        False,
    ),
    "IAD": (
        "iad.pth.tar",
        lambda w: {
            "epoch": 190,
            "state_dict": under("module.", w),
            "test_nat_acc": np.float64(0.8),
            "optimizer": {"state": {}},
        },
        False,
    ),
    "DM-Improves-AT": (
        "weights-best.pt",
        lambda w: {"model_state_dict": under("module.0.", w), "unaveraged": 1},
        False,
    ),
    "Rice, inside": (
        "model_best.pth",
        lambda w: {"state_dict": under("module.", {**w, **statistics("mu", "sigma")})},
        True,
    ),
    "Rice, periodic": ("model_190.pth", lambda w: {**w, **statistics("mu", "sigma")}, True),
    "RobustBench, normalised": (
        "salman.pt",
        lambda w: {**under("model.", w), **statistics("normalize.mean", "normalize.std")},
        True,
    ),
    "Sequential(Normalize, network)": (
        "sequential.pt",
        lambda w: {**under("1.", w), **statistics("0.mean", "0.std")},
        True,
    ),
    "robustness": ("robustness.ckpt", robustness, True),
}


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("project", WRAPPED)
def test_a_project_s_file_gives_the_same_logits_as_its_network(project, legacy, glyphs, tmp_path):
    name, wrap, inside = WRAPPED[project]
    reference = plain("wide_resnet_10_1")
    torch.save(
        wrap(reference.model.state_dict()),
        tmp_path / name,
        _use_new_zipfile_serialization=not legacy,
    )

    config = glyphs(tmp_path / name, normalization="auto" if inside else "none")
    network = network_from_file(config).eval()

    expected = reference((IMAGES - MEAN) / STD if inside else IMAGES)
    torch.testing.assert_close(network(IMAGES), expected, rtol=0, atol=1e-6)


class Block(nn.Module):
    """A residual block with kuangliu's names."""

    def __init__(self, width_in, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.shortcut = nn.Sequential()
        if stride > 1:
            project = nn.Conv2d(width_in, width, 1, stride, bias=False)
            self.shortcut = nn.Sequential(project, nn.BatchNorm2d(width))

    def forward(self, x):
        inner = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(inner + self.shortcut(x))


class KuangliuResNet18(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64)
        widths = (64, 64, 128, 256, 512)
        for group in range(1, 5):
            first = Block(widths[group - 1], widths[group], 1 if group == 1 else 2)
            layer = nn.Sequential(first, Block(widths[group], widths[group], 1))
            self.add_module(f"layer{group}", layer)
        self.linear = nn.Linear(512, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.linear(x.mean(dim=(2, 3)))


def with_unused_block(network):
    unused = under("sub_block1.", network.model.block1.state_dict())
    return network, {**network.model.state_dict(), **unused}


def as_it_is(network):
    return network, network.state_dict()


REFERENCES = {
    "wide_resnet_10_2": lambda: with_unused_block(plain("wide_resnet_10_2")),
    "small_resnet8": lambda: (net := plain("small_resnet8"), net.model.state_dict()),
    "cifar_resnet18": lambda: as_it_is(alive(KuangliuResNet18())),
    "resnet18": lambda: as_it_is(alive(torchvision.models.resnet18(num_classes=10))),
    "vit_tiny_patch16_224": lambda: as_it_is(
        timm.create_model("vit_tiny_patch16_224", img_size=32, num_classes=10).eval()
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("architecture", REFERENCES)
def test_the_architecture_is_told_and_the_logits_are_the_authors(architecture, glyphs, tmp_path):
    reference, weights = REFERENCES[architecture]()
    torch.save(weights, tmp_path / "public.pt")

    config = glyphs(tmp_path / "public.pt", normalization="none")
    prepared = prepare_teacher(config, tmp_path / "teachers")
    teacher = load_teacher(config, tmp_path / "teachers")

    assert prepared.path.name.startswith(f"{architecture}-")
    torch.testing.assert_close(teacher(IMAGES), reference(IMAGES), rtol=1e-4, atol=1e-5)


OURS = (
    "dm_wide_resnet_10_1",
    "cifar_preact_resnet18",
    "cifar_mobilenetv2",
    "cifar_resnet20",
    "cifar_resnet34",
    "cifar_resnet50",
    "cifar_resnet56",
)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", OURS)
def test_a_network_of_ours_is_told_from_its_own_weights(architecture, glyphs, tmp_path):
    reference = plain(architecture)
    torch.save(reference.model.state_dict(), tmp_path / "file.pt")

    network = network_from_file(glyphs(tmp_path / "file.pt", normalization="none")).eval()

    assert facts_of(reference.model.state_dict()).architecture == architecture
    torch.testing.assert_close(network(IMAGES), reference(IMAGES), rtol=1e-4, atol=1e-5)


BROUGHT = {
    "in 0 to 255": (255 * MEAN, 255 * STD, "mean must be from 0 to 1"),
    "without deviation": (MEAN, 0 * STD, "std must be above 0"),
    "not a number": (MEAN, STD / 0 * 0, "finite number"),
}


@pytest.mark.parametrize("what", BROUGHT)
def test_a_normalization_that_no_images_have_is_refused_with_the_file_s_name(
    what, glyphs, tmp_path
):
    mean, std, message = BROUGHT[what]
    weights = plain("wide_resnet_10_1").model.state_dict()
    torch.save({**weights, "mu": mean, "sigma": std}, tmp_path / "inside.pt")

    with pytest.raises(ValueError, match=message) as error:
        check_teacher(glyphs(tmp_path / "inside.pt"))

    assert "inside.pt brings a normalization" in str(error.value)
    assert "\n" not in str(error.value)
    assert "pydantic" not in str(error.value)


def test_weights_that_are_not_finite_are_refused(glyphs, tmp_path):
    weights = plain("wide_resnet_10_1").model.state_dict()
    weights["fc.bias"][0] = torch.nan
    torch.save(weights, tmp_path / "diverged.pt")

    with pytest.raises(
        ValueError, match=r"diverged\.pt holds numbers that are not finite.*fc\.bias"
    ):
        check_teacher(glyphs(tmp_path / "diverged.pt"))


@pytest.mark.slow
def test_windows_that_do_not_fit_the_images_are_refused_before_anything_is_trained(
    glyphs, tmp_path
):
    swin = timm.create_model("swin_tiny_patch4_window7_224", num_classes=10)
    torch.save(swin.state_dict(), tmp_path / "swin.pt")

    with pytest.raises(ValueError, match="made for 224 pixels a side, not for the 32 of") as error:
        check_teacher(glyphs(tmp_path / "swin.pt"))

    assert "set the teacher's resolution to 224" in str(error.value)
    check_teacher(glyphs(tmp_path / "swin.pt", resolution=224))


KUANGLIU = {"downsample": "shortcut", "fc": "linear"}


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["cifar_resnet34", "cifar_resnet50"])
def test_deeper_networks_in_kuangliu_s_names_are_told(architecture, glyphs, tmp_path):
    reference = plain(architecture)
    weights = {
        ".".join(KUANGLIU.get(part, part) for part in key.split(".")): value
        for key, value in reference.model.state_dict().items()
    }
    torch.save({"net": weights}, tmp_path / "file.t7")

    network = network_from_file(glyphs(tmp_path / "file.t7", normalization="none")).eval()

    torch.testing.assert_close(network(IMAGES), reference(IMAGES), rtol=1e-4, atol=1e-5)


def deepmind(depth, width, classes=10, channels=3):
    """Keys and shapes of DeepMind's WideResNet, without numbers."""
    weights = OrderedDict({"init_conv.weight": torch.empty(16, channels, 3, 3, device="meta")})
    for group in range(3):
        for block in range((depth - 4) // 6):
            channels_out = 16 * width * 2**group
            key = f"layer.{group}.block.{block}.conv_0.weight"
            weights[key] = torch.empty(channels_out, channels_out, 3, 3, device="meta")
    weights["logits.weight"] = torch.empty(classes, 64 * width, device="meta")
    return weights


@pytest.mark.parametrize(
    ("depth", "width", "classes", "usual"),
    [(28, 10, 10, "cifar10"), (70, 16, 100, "cifar100"), (94, 16, 10, "cifar10")],
)
def test_deepmind_s_networks_are_told_and_standardise_outside_their_weights(
    depth, width, classes, usual
):
    facts = facts_of(deepmind(depth, width, classes))

    assert facts.architecture == f"dm_wide_resnet_{depth}_{width}"
    assert (facts.num_classes, facts.channels) == (classes, 3)
    assert facts.normalization == KNOWN[usual]


def test_on_grey_images_nobody_standardises_by_three_channels():
    assert facts_of(deepmind(28, 10, channels=1)).normalization is None


def on_meta(architecture):
    with torch.device("meta"):
        return plain(architecture, side=8 if "pico" in architecture else 224).model.state_dict()


@pytest.mark.slow
@pytest.mark.parametrize(
    "architecture", [*SMALL, *VITS[:3], DISTILLED[0], CONVNEXTS[1], XCITS[0], SWINS[0]]
)
def test_networks_of_timm_and_of_ours_are_told(architecture):
    assert facts_of(on_meta(architecture)).architecture == architecture


@pytest.mark.slow
@pytest.mark.parametrize("architecture", RESNETS)
def test_networks_of_torchvision_are_told(architecture):
    with torch.device("meta"):
        weights = torchvision.models.get_model(architecture, num_classes=17).state_dict()

    facts = facts_of(weights)

    assert facts.architecture == architecture
    assert (facts.num_classes, facts.channels, facts.image_size) == (17, 3, None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "side"),
    [("vit_small_patch32_224", 224), ("deit3_small_patch16_224", 224), ("vit_pico_patch2_8", 8)],
)
def test_transformers_tell_their_image_size(architecture, side):
    assert facts_of(on_meta(architecture)).image_size == side


@pytest.mark.parametrize(
    ("depth", "width"), [(28, 4), (34, 15), (40, 2)], ids=lambda value: str(value)
)
def test_a_wide_resnet_of_any_depth_and_width_is_told(depth, width):
    weights = {"conv1.weight": torch.empty(16, 3, 3, 3), "fc.weight": torch.empty(10, 64 * width)}
    for block in range((depth - 4) // 6):
        weights[f"block1.layer.{block}.conv1.weight"] = torch.empty(16 * width, 16, 3, 3)

    assert facts_of(weights).architecture == f"wide_resnet_{depth}_{width}"
