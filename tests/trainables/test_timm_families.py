"""What every family of timm's registry must do as a student of 32x32 images."""

import math
from typing import NamedTuple

import pytest
import torch
from torch.nn import functional as F

from trainables.attacks import cross_entropy_objective, pgd
from trainables.models import (
    Network,
    allow_double_backward,
    create_network,
    require_double_backward,
)
from trainables.models.checkpoints import load_weights, save_atomically
from trainables.threat import ThreatModel

SHAPE = (3, 32, 32)
LABELS = torch.tensor([0, 1])

QUICK = {
    "byobnet": "test_byobnet",
    "convnext": "test_convnext",
    "efficientnet": "test_efficientnet",
    "mambaout": "test_mambaout",
    "nfnet": "test_nfnet",
    "resnet": "test_resnet",
    "vision_transformer": "test_vit",
    "vision_transformer_relpos": "test_vit_relpos",
    "vovnet": "ese_vovnet19b_slim_dw",
}
FAMILIES = {
    "cait": "cait_xxs24_224",
    "coatnet": "test_coatnet",
    "convit": "convit_tiny",
    "crossvit": "crossvit_tiny_240",
    "cspnet": "cs3darknet_focus_s",
    "cspnext": "cspnext_tiny",
    "deit": "deit_tiny_patch16_224",
    "densenet": "densenet121",
    "dla": "dla46x_c",
    "edgenext": "edgenext_xx_small",
    "efficientformer_v2": "efficientformerv2_s0",
    "efficientvit_mit": "efficientvit_b0",
    "eva": "vit_tiny_patch16_dinov3_qkvb",
    "fasternet": "fasternet_t0",
    "fastvit": "fastvit_t8",
    "ghostnet": "ghostnet_050",
    "hgnet": "hgnetv2_b0",
    "inception_next": "inception_next_atto",
    "lcnet": "lcnet_035",
    "metaformer": "poolformerv2_s12",
    "mixer": "mixer_s32_224",
    "mobilenetv3": "mobilenetv3_small_050",
    "mobilevit": "mobilevit_xxs",
    "nest": "nest_tiny",
    "pit": "pit_ti_224",
    "pvt_v2": "pvt_v2_b0",
    "regnet": "regnetx_002",
    "resmlp": "resmlp_12_224",
    "resnest": "resnest14d",
    "resnetv2": "resnetv2_18",
    "rexnet": "rexnet_100",
    "senet": "legacy_seresnet18",
    "sknet": "skresnet18",
    "starnet": "starnet_s050",
    "swiftformer": "swiftformer_xs",
    "swin": "swin_tiny_patch4_window7_224",
    "swin_v2": "swinv2_tiny_window8_256",
    "tiny_vit": "tiny_vit_5m_224",
    "tnt": "tnt_s_legacy_patch16_224",
    "twins": "twins_svt_small",
    "vit_hybrid": "vit_tiny_r_s16_p8_224",
    "volo": "volo_d1_224",
    "xcit": "xcit_nano_12_p16_224",
}
REFUSED = {
    "efficientformer_l1": "the smallest size that works is 224x224",  # its attention knows 7x7
    "vit_pico_patch2_8": "the smallest size that works is 8x8",
}


class Member(NamedTuple):
    """A family's network and its images, built once for all that is asked of it."""

    architecture: str
    network: Network
    images: torch.Tensor


def build(architecture):
    return create_network(
        architecture, image_shape=SHAPE, num_classes=10, mean=[0.5] * 3, std=[0.25] * 3
    )


@pytest.fixture(
    scope="module",
    params=[
        *(pytest.param(name, id=family) for family, name in QUICK.items()),
        *(
            pytest.param(name, id=family, marks=pytest.mark.slow)
            for family, name in FAMILIES.items()
        ),
    ],
)
def member(request):
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    network = build(request.param).eval()
    for parameter in network.parameters():  # some heads begin at zero, and give no gradient then
        parameter.data += 0.02 * torch.randn(parameter.shape, generator=generator)
    return Member(request.param, network, torch.rand(2, *SHAPE, generator=generator))


def test_logits_and_features_come_from_one_pass_in_one_layout(member):
    output = member.network.outputs(member.images, (-1,))

    batch, positions, channels = output.features[-1].shape
    assert output.logits.shape == (2, 10)
    assert batch == 2
    assert math.isqrt(positions) ** 2 == positions >= 4
    assert channels >= 8
    torch.testing.assert_close(output.logits, member.network(member.images), rtol=1e-4, atol=1e-4)


def test_an_attack_moves_the_images_and_stays_in_the_ball(member):
    epsilon = 8 / 255

    moved = pgd(
        cross_entropy_objective(member.network, LABELS),
        member.images,
        ThreatModel(epsilon=epsilon),
        step_size=epsilon,
        steps=1,
    )

    distance = (moved - member.images).abs()
    assert distance.mean() > epsilon / 4
    assert distance.max() <= epsilon + 1e-6


@pytest.mark.slow
def test_input_gradients_are_differentiated_through_to_the_parameters(member):
    network = member.network
    before = network(member.images)
    allow_double_backward(network)
    require_double_backward(network, member.architecture, SHAPE)

    images = member.images.clone().requires_grad_()
    loss = F.cross_entropy(network(images), LABELS)
    (gradient,) = torch.autograd.grad(loss, images, create_graph=True)
    seconds = torch.autograd.grad(
        gradient.square().sum(), list(network.parameters()), allow_unused=True
    )

    reached = [second for second in seconds if second is not None]
    assert all(second.isfinite().all() for second in reached)
    assert sum(second.abs().sum() for second in reached) > 0
    torch.testing.assert_close(network(images), before, rtol=1e-3, atol=1e-4)


def test_a_checkpoint_brings_back_the_logits(member, tmp_path):
    save_atomically({"model": member.network.model.state_dict()}, tmp_path / "weights.pt")
    again = build(member.architecture).eval()

    load_weights(again, tmp_path / "weights.pt", member.architecture)

    torch.testing.assert_close(
        again(member.images), member.network(member.images), rtol=1e-3, atol=1e-4
    )


@pytest.mark.slow
@pytest.mark.parametrize(("architecture", "reason"), REFUSED.items())
def test_what_cannot_see_such_images_is_refused_in_one_sentence(architecture, reason):
    with pytest.raises(ValueError, match="does not work on images of 32x32 pixels") as error:
        build(architecture)

    assert str(error.value).endswith(reason)
    assert "\n" not in str(error.value)


def test_the_list_has_more_than_fifty_families():
    assert len({*QUICK, *FAMILIES}) > 50
    assert len({*QUICK.values(), *FAMILIES.values()}) == len(QUICK) + len(FAMILIES)
