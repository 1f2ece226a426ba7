import shutil

import pytest
import torch
from torch import nn

from trainables.data import Split
from trainables.distillation import Distillation, build_network
from trainables.machine.compilation import compile_in_place
from trainables.machine.hardware import HardwareConfig, compute_type, in_words, resolved
from trainables.measuring.autoattack import AutoAttack, autoattack
from trainables.models import computing_in, create_network, frozen
from trainables.threat import ThreatModel

CHANNELS_LAST = {"hardware": {"memory_format": "channels_last"}}


def losses(config, teacher=None, epochs=2):
    distillation = Distillation.build(config, teacher)
    return [distillation.train_epoch()["train/loss"] for _ in range(epochs)]


def test_nothing_is_left_open_on_a_machine_without_a_gpu():
    config = resolved(HardwareConfig())

    assert config == HardwareConfig(
        device="cpu", precision="float32", memory_format="channels_last", compile=False
    )


def test_the_choice_is_said_in_words():
    assert in_words(HardwareConfig()) == "cpu, float32, channels_last, not compiled, 1 thread"
    assert in_words(HardwareConfig(threads=2, compile=True)).endswith(", compiled, 2 threads")


def test_what_is_written_down_stays():
    written = HardwareConfig(
        device="cpu", precision="bfloat16", memory_format="contiguous", compile=True
    )

    assert resolved(written) == written
    assert compute_type(written) == torch.bfloat16


@pytest.mark.parametrize("architecture", ["small_resnet6", "wide_resnet_10_1", "vit_pico_patch2_8"])
def test_channels_last_changes_the_layout_of_convolutions_and_no_value(architecture, trial):
    plain, arranged = (
        build_network(seeded(config), architecture, normalize=True)
        for config in (trial(), trial(**CHANNELS_LAST))
    )
    images = torch.rand(4, 1, 8, 8)

    arranged.load_state_dict(plain.state_dict())

    wide = [m.weight for m in arranged.modules() if isinstance(m, nn.Conv2d) and m.in_channels > 1]
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in wide)
    torch.testing.assert_close(arranged.eval()(images), plain.eval()(images))


def seeded(config):
    torch.manual_seed(0)
    return config


@pytest.mark.slow
@pytest.mark.parametrize("method", ["adversarial_training", "rslad", "variance_gap", "kdiga"])
@pytest.mark.parametrize(
    ("hardware", "tolerance"),
    [({"memory_format": "channels_last"}, 1e-4), ({"precision": "bfloat16"}, 0.03)],
)
def test_the_loss_runs_as_in_plain_float32(method, hardware, tolerance, trial, teacher):
    plain = losses(trial(method={"name": method}), teacher)

    changed = losses(trial(method={"name": method}, hardware=hardware), teacher)

    assert changed == pytest.approx(plain, rel=tolerance)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on CPU")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # dynamo's own
def test_the_loss_of_compiled_networks_runs_as_in_plain_float32(trial, teacher):
    plain = losses(trial(method={"name": "rslad"}), teacher, epochs=1)

    compiled = losses(
        trial(method={"name": "rslad"}, hardware={"compile": True}), teacher, epochs=1
    )

    assert compiled == pytest.approx(plain, rel=1e-4)


def test_half_precision_reaches_neither_weights_nor_losses_nor_what_is_measured(trial, teacher):
    config = trial(method={"name": "variance_gap"}, hardware={"precision": "bfloat16"})
    distillation = Distillation.build(config, teacher)

    distillation.train_epoch()

    assert {p.dtype for p in distillation.student.parameters()} == {torch.float32}
    assert distillation.student.compute_type is None
    assert distillation.student(torch.rand(2, 1, 8, 8)).dtype == torch.float32


def test_passes_are_cast_inside_and_nowhere_else(network):
    student, images = network("wide_resnet_10_1").eval(), torch.rand(2, 1, 8, 8)

    with computing_in(torch.bfloat16, student, None):
        inside, output = student(images), student.outputs(images, (-1,))

    assert inside.dtype == torch.bfloat16
    assert output.logits.dtype == output.features[-1].dtype == torch.float32
    torch.testing.assert_close(output.logits, inside.float())
    assert student(images).dtype == torch.float32


def test_a_frozen_network_still_has_an_input_gradient_and_is_thawed(network):
    student, images = network(), torch.rand(2, 1, 8, 8, requires_grad=True)
    student.model.fc.bias.requires_grad_(False)

    with frozen(student):
        student(images).sum().backward()

    assert images.grad is not None
    assert all(p.grad is None for p in student.parameters())
    assert [n for n, p in student.named_parameters() if not p.requires_grad] == ["model.fc.bias"]


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_autoattack_runs_on_channels_last(norm):
    student = create_network(
        "wide_resnet_10_1", image_shape=(3, 8, 8), num_classes=10, mean=[0.5] * 3, std=[0.2] * 3
    ).to(memory_format=torch.channels_last)
    split = Split(torch.rand(4, 3, 8, 8), torch.tensor([0, 1, 2, 3]))

    robust = autoattack(student, split, ThreatModel(norm=norm), AutoAttack(), seed=0).robust

    assert len(robust) == 4


def test_a_machine_that_cannot_compile_gets_one_sentence(monkeypatch, tmp_path, network):
    monkeypatch.setenv("CXX", str(tmp_path / "no-compiler"))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    student = network()

    with pytest.raises(ValueError, match="install a C\\+\\+ compiler") as caught:
        compile_in_place((7, 1, 8, 8), student)

    assert "\n" not in str(caught.value)
    assert student(torch.rand(1, 1, 8, 8)).shape == (1, 10)
