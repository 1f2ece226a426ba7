"""Networks small enough to calculate by hand, and training runs of a second."""

import copy

import pytest
import torch
from torch import nn

from trainables.alignments import Pair
from trainables.config import TrialConfig, merge
from trainables.data import load_data
from trainables.distillation import Distillation, build_network
from trainables.methods import Batch, View
from trainables.models import Network
from trainables.models.intermediates import IntermediatesMixin

TRIAL = {
    "student": {"architecture": "small_resnet6"},
    "teacher": {"architecture": "wide_resnet_10_1"},
    "clean_teacher": {"architecture": "small_resnet8"},
    "data": {"batch_size": 300},
    "threat": {"epsilon": 0.1},
    "attack": {"steps": 1, "step_size": 1.0, "batch_norm": "eval"},
    "validation": {"attack": {"steps": 2}},
    "epochs": 2,
    "hardware": {"device": "cpu", "memory_format": "contiguous"},
}
"""Four steps an epoch; the student's 16 channels are not the teacher's 64."""


class LinearModel(IntermediatesMixin, nn.Module):
    """Logits ``W x``; the feature map is the scaled image itself."""

    def __init__(self, weight, scale=1.0):
        super().__init__()
        self.weight = nn.Parameter(weight.clone())
        self.scale = nn.Parameter(torch.tensor(scale))

    def stages(self, x):
        return [self.scale * x]

    def forward_head(self, features):
        return features.flatten(1) @ self.weight.T


@pytest.fixture(scope="session")
def linear_network():
    """``linear_network(weight, scale)``: a linear classifier of images ``(1, height, width)``."""

    def create(weight, scale=1.0):
        return Network(LinearModel(weight, scale), mean=[0.0], std=[1.0])

    return create


@pytest.fixture(scope="session")
def trial():
    """``trial(overrides)``: a complete config of a small run."""

    def create(**overrides):
        return TrialConfig.model_validate(merge(TRIAL, overrides))

    return create


@pytest.fixture(scope="session")
def digits(trial):
    return load_data(trial().data, torch.device("cpu"))


@pytest.fixture
def network(trial):
    """``network(architecture)``: untrained, for the digits."""

    def create(architecture="small_resnet6"):
        return build_network(trial(), architecture, normalize=True)

    return create


@pytest.fixture
def teacher(network):
    """Frozen, in eval mode; its widths are not the student's."""
    return network("wide_resnet_10_1").eval().requires_grad_(False)


@pytest.fixture
def batch(digits):
    """``batch(student, teacher)``: the same eight digits, clean and disturbed, seen by both."""

    def create(student, teacher, layers=(-1,), clean_teacher=None):
        images, labels = digits.train.images[:8], digits.train.labels[:8]
        noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(1))
        disturbed = (images + 0.1 * noise).clamp(0, 1)
        dtype = next(student.parameters()).dtype
        clean, adversarial = (
            View(
                values.to(dtype),
                student,
                teacher,
                clean_teacher=clean_teacher,
                layers=layers,
                differentiable=True,
            )
            for values in (images, disturbed)
        )
        return Batch(labels, clean, adversarial)

    return create


LABELS = torch.tensor([0, 1, 2, 0, 1])
"""Of the linear batch."""


@pytest.fixture
def linear_batch(linear_network):
    """``(batch, student, teacher)``: two linear classifiers and five pairs of images."""
    student, teacher = linear_network(torch.randn(3, 4), 1.5), linear_network(torch.randn(3, 4))
    clean, adversarial = (
        View(torch.rand(5, 1, 2, 2), student, teacher, layers=(-1,), differentiable=True)
        for _ in range(2)
    )
    return Batch(LABELS, clean, adversarial), student, teacher


@pytest.fixture
def modules_of():
    """``modules_of(term, student, teacher)``: what the term builds for two digit networks."""

    def create(term, student, teacher):
        images = torch.rand(20, 1, 8, 8, generator=torch.Generator().manual_seed(2))
        return term.modules(Pair(student, teacher, images))

    return create


@pytest.fixture(scope="session")
def trained_config(trial):
    return trial(teacher=None, epochs=12, data={"batch_size": 50}, optimizer={"schedule": "cosine"})


@pytest.fixture(scope="session")
def trained(trained_config):
    """A student after a short adversarial training; do not change it."""
    distillation = Distillation.build(trained_config)
    while not distillation.finished:
        distillation.train_epoch()
    return distillation.student.eval()


@pytest.fixture
def mixed(trained):
    """In train mode, with one BatchNorm and one weight frozen and a gradient lying about."""
    student = copy.deepcopy(trained).train()
    student.model.blocks[0].bn1.eval()
    student.model.fc.weight.requires_grad_(False)
    student.model.fc.bias.grad = torch.ones(10)
    return student


@pytest.fixture
def condition():
    return condition_of


def condition_of(network):
    """Everything that a measurement could disturb."""
    return (
        {key: value.tolist() for key, value in network.state_dict().items()},
        [module.training for module in network.modules()],
        [parameter.requires_grad for parameter in network.parameters()],
        [p.grad is not None and p.grad.tolist() for p in network.parameters()],
        torch.backends.cudnn.conv.fp32_precision,
        torch.backends.cuda.matmul.fp32_precision,
    )


@pytest.fixture
def small_device(monkeypatch):
    """``small_device(images=...)``: an allocator without room for the activations of more."""

    def shrink(images):
        convolve = torch.nn.Conv2d.forward

        def forward(layer, values):
            if values.requires_grad and len(values) > images:
                raise torch.OutOfMemoryError(f"tried to allocate {len(values)} activations")
            return convolve(layer, values)

        monkeypatch.setattr(torch.nn.Conv2d, "forward", forward)

    return shrink
