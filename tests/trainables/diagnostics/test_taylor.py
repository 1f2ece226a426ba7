import pytest
import torch

from trainables.diagnostics.taylor import taylor_remainder_ratio
from trainables.threat import ThreatModel

LINF = ThreatModel(epsilon=0.1)


def test_a_linear_network_has_no_taylor_remainder(linear_network):
    network = linear_network(torch.randn(3, 4))

    ratio = taylor_remainder_ratio(network, torch.rand(6, 1, 2, 2), LINF, seed=0, batch_size=4)

    assert ratio.shape == (6,)
    assert ratio.max() < 1e-5


class Squares(torch.nn.Module):
    """Logits ``x^2``, so the remainder is ``u^2``."""

    def forward(self, images):
        return images.flatten(1).square()


def test_the_remainder_of_squares_has_its_closed_form():
    images = torch.rand(5, 1, 2, 2)

    ratio = taylor_remainder_ratio(Squares(), images, LINF, seed=3)

    moved = LINF.random_start(images, torch.Generator().manual_seed(3)).flatten(1)
    missed = (moved - images.flatten(1)).square().norm(dim=1)
    torch.testing.assert_close(ratio, missed / moved.square().norm(dim=1), rtol=1e-4, atol=1e-6)


def test_the_taylor_remainder_grows_with_the_radius(trained, digits):
    images = digits.validation.images[:20]

    near, far = (
        taylor_remainder_ratio(trained, images, ThreatModel(epsilon=epsilon), seed=0).mean()
        for epsilon in (0.01, 0.3)
    )

    assert 0 < near < far


@pytest.mark.parametrize("architecture", ["small_resnet6", "vit_pico_patch2_8"])
def test_it_does_not_depend_on_the_batch_size(architecture, network):
    student, images = network(architecture).train(), torch.rand(9, 1, 8, 8)

    small, large = (
        taylor_remainder_ratio(student, images, LINF, seed=0, batch_size=size) for size in (4, 100)
    )

    torch.testing.assert_close(small, large, rtol=1e-3, atol=1e-5)
    assert all(module.training for module in student.modules())
