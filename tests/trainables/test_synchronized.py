"""With all images in one process, synchronised BatchNorm is PyTorch's own."""

import pytest
import torch
from timm.layers import BatchNormAct2d
from torch import nn

from trainables.models.synchronized import SynchronizedBatchNorm, synchronized_batch_norm
from trainables.workers.ranks import ALONE

LAYERS = {
    "plain": lambda: nn.BatchNorm2d(3),
    "without weights": lambda: nn.BatchNorm2d(3, affine=False),
    "without statistics": lambda: nn.BatchNorm2d(3, track_running_stats=False),
    "cumulative": lambda: nn.BatchNorm2d(3, momentum=None),
    "timm's, with activation": lambda: BatchNormAct2d(3),
    "of vectors": lambda: nn.BatchNorm1d(3),
}


def passed(layer, images, context):
    """Output, input gradient, its second derivative and the buffers, after two passes."""
    layer, images = layer.double(), images.clone().requires_grad_()
    with context:
        layer(images + 1)
        output = layer(images)
    (gradient,) = torch.autograd.grad(output.pow(3).sum(), images, create_graph=True)
    (second,) = torch.autograd.grad(gradient.square().sum(), images)
    return output, gradient, second, list(layer.buffers())


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", LAYERS)
def test_value_derivatives_and_statistics_are_those_of_the_layer(name, training):
    shape = (6, 3) if name == "of vectors" else (6, 3, 4, 4)
    images = torch.randn(shape, dtype=torch.float64)

    expected, found = (
        passed(LAYERS[name]().train(training), images, context)
        for context in (synchronized_batch_norm(ALONE), SynchronizedBatchNorm(ALONE))
    )

    torch.testing.assert_close(found, expected)


def test_half_precision_comes_back_as_half_precision():
    images = torch.randn(6, 3, 4, 4, dtype=torch.bfloat16)

    with SynchronizedBatchNorm(ALONE):
        output = nn.BatchNorm2d(3)(images)

    assert output.dtype == torch.bfloat16
    torch.testing.assert_close(output, nn.BatchNorm2d(3)(images), atol=0.05, rtol=0.05)
