import pytest
import torch

from trainables.data import Split
from trainables.diagnostics import (
    local_linearity,
    local_linearity_shao2021,
    loss_linearity,
    taylor_remainder_ratio,
)
from trainables.diagnostics.linearity import random_starts
from trainables.threat import ThreatModel

LINF, L2 = ThreatModel(epsilon=0.1), ThreatModel(norm="l2", epsilon=0.3)
THREATS = pytest.mark.parametrize("threat", [LINF, L2], ids=["linf", "l2"])
WEIGHT = torch.tensor([[1.0, -2.0], [0.5, 3.0]])
GREY = torch.full((3, 1, 2, 2), 0.5)


def linear(images):
    return (images * WEIGHT).sum(dim=(1, 2, 3)) + 7


def quadratic(images):
    return (images - 0.5).square().sum(dim=(1, 2, 3))


def starts(threat, images=GREY):
    return random_starts(images, threat, seed=0)


@THREATS
def test_a_linear_objective_is_locally_linear(threat):
    gamma = local_linearity(linear, torch.rand(3, 1, 2, 2), threat, start=starts(threat))

    assert gamma.max() < 1e-5


@pytest.mark.parametrize("sign", [1, -1])
def test_a_quadratic_objective_has_its_closed_form_whatever_its_sign(sign):
    linf = local_linearity(lambda x: sign * quadratic(x), GREY, LINF, start=starts(LINF))
    l2 = local_linearity(lambda x: sign * quadratic(x), GREY, L2, start=starts(L2))

    # the remainder is |delta|^2: d epsilon^2 in a corner of the box, epsilon^2 in the ball
    torch.testing.assert_close(linf, torch.full((3,), 4 * 0.1**2))
    torch.testing.assert_close(l2, torch.full((3,), 0.3**2))


def test_the_authors_form_is_signed():
    above = local_linearity_shao2021(quadratic, GREY, LINF, start=starts(LINF))
    below = local_linearity_shao2021(lambda x: -quadratic(x), GREY, LINF, start=starts(LINF))

    torch.testing.assert_close(above, torch.full((3,), 4 * 0.1**2))
    assert (below <= 0).all()


def test_the_authors_form_knows_linf_alone():
    with pytest.raises(ValueError, match="norm 'linf', got 'l2'; use local_linearity"):
        local_linearity_shao2021(quadratic, GREY, L2, start=starts(L2))


@THREATS
def test_two_class_cross_entropy_of_a_linear_network_is_bounded(threat, linear_network):
    network = linear_network(torch.tensor([[3.0, -1.0, 2.0, 0.0], [0.0, 1.0, -1.0, 4.0]]))
    split = Split(torch.rand(5, 1, 2, 2), torch.tensor([0, 1, 0, 1, 1]))

    gamma = loss_linearity(network, split, threat, seed=0)

    # logistic in the margin, so its second derivative is at most 1/4
    slope = torch.tensor([3.0, -2.0, 3.0, -4.0])
    reach = 0.1 * slope.norm(p=1) if threat is LINF else 0.3 * slope.norm()
    assert (gamma > 0).all()
    assert (gamma <= reach**2 / 8).all()


@pytest.mark.parametrize("authors", [False, True])
def test_linearity_does_not_depend_on_the_batch_size(authors, trained, digits):
    split = Split(digits.validation.images[:9], digits.validation.labels[:9])

    small, large = (
        loss_linearity(trained, split, LINF, seed=0, authors=authors, batch_size=size)
        for size in (4, 100)
    )

    torch.testing.assert_close(small, large, rtol=0.05, atol=1e-3)


def test_our_measure_is_not_below_the_authors(trained, digits):
    split = Split(digits.validation.images[:50], digits.validation.labels[:50])

    ours, authors = (
        loss_linearity(trained, split, LINF, seed=0, authors=flag) for flag in (False, True)
    )

    assert ours.mean() >= 0.98 * authors.mean()
    assert (ours >= 0).all()


def test_a_linear_network_has_no_taylor_remainder(linear_network):
    network = linear_network(torch.randn(3, 4))

    ratio = taylor_remainder_ratio(network, torch.rand(6, 1, 2, 2), LINF, seed=0, batch_size=4)

    assert ratio.shape == (6,)
    assert ratio.max() < 1e-5


def test_the_taylor_remainder_grows_with_the_radius(trained, digits):
    images = digits.validation.images[:20]

    near, far = (
        taylor_remainder_ratio(trained, images, ThreatModel(epsilon=epsilon), seed=0).mean()
        for epsilon in (0.01, 0.3)
    )

    assert 0 < near < far


def test_the_network_stays_as_it_was(network, digits):
    student = network().train()
    split = Split(digits.validation.images[:4], digits.validation.labels[:4])
    before = {key: value.clone() for key, value in student.state_dict().items()}

    loss_linearity(student, split, LINF, seed=0)
    taylor_remainder_ratio(student, split.images, LINF, seed=0)

    assert all(module.training for module in student.modules())
    assert all(torch.equal(value, before[key]) for key, value in student.state_dict().items())
    assert all(parameter.grad is None for parameter in student.parameters())
