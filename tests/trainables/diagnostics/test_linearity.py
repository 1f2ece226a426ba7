import pytest
import torch

from trainables.data import Split
from trainables.diagnostics.linearity import local_linearity
from trainables.threat import ThreatModel


@pytest.fixture
def split():
    return Split(0.3 + 0.4 * torch.rand(6, 1, 2, 2), torch.tensor([0, 1, 2, 0, 1, 2]))


LINF = ThreatModel(epsilon=0.1)


def logistic(weight, images, labels):
    """Cross-entropy of two classes that differ by w x: log(1 + exp(-+ w x))."""
    sign = 1 - 2 * labels.double()
    return torch.nn.functional.softplus(-sign * (images.flatten(1).double() @ weight))


def test_of_a_logistic_loss_it_lies_in_a_corner_of_the_ball(linear_network):
    split = Split(0.3 + 0.4 * torch.rand(6, 1, 2, 2), torch.tensor([0, 1, 0, 0, 1, 1]))
    weight = torch.randn(4)
    network = linear_network(torch.stack([weight, torch.zeros(4)]))

    found = local_linearity(network, split, LINF)

    w, flat = weight.double(), split.images.flatten(1).double()
    gradient = torch.func.vmap(torch.func.grad(lambda x, y: logistic(w, x[None], y[None])[0]))(
        flat, split.labels
    )
    remainders = []
    for sign in (1, -1):  # the remainder depends on w delta alone and grows with its size
        delta = sign * 0.1 * w.sign()
        moved = logistic(w, flat + delta, split.labels)
        linear = logistic(w, flat, split.labels) + gradient @ delta
        remainders.append((moved - linear).abs())
    torch.testing.assert_close(found.double(), torch.maximum(*remainders), rtol=1e-3, atol=1e-6)


def test_a_constant_loss_is_linear(linear_network, split):
    assert local_linearity(linear_network(torch.zeros(3, 4)), split, LINF).max() < 1e-6


def test_the_authors_form_keeps_the_sign(network, digits):
    split = Split(digits.test.images[:20], digits.test.labels[:20])
    student = network().eval()

    own, theirs = (
        local_linearity(student, split, LINF, form=form) for form in ("absolute", "shao2021")
    )

    assert own.min() >= 0
    assert theirs.mean() <= own.mean() + 1e-4


def test_networks_are_left_as_they_were(network, digits):
    student = network().train()
    split = Split(digits.test.images[:8], digits.test.labels[:8])
    before = {key: value.clone() for key, value in student.state_dict().items()}

    local_linearity(student, split, LINF, steps=2)

    assert all(torch.equal(value, before[key]) for key, value in student.state_dict().items())
    assert all(module.training for module in student.modules())
    assert all(parameter.grad is None for parameter in student.parameters())
