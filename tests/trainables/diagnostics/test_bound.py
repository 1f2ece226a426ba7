import pytest
import torch

from trainables.data import Split
from trainables.diagnostics import linearity_bound
from trainables.diagnostics.bound import bound_of_losses
from trainables.diagnostics.linearity import random_starts
from trainables.threat import ThreatModel

OURS, THEIRS = torch.tensor([[1.0, -2.0], [0.5, 3.0]]), torch.tensor([[0.0, 1.0], [0.5, -1.0]])
GREY = torch.full((3, 1, 2, 2), 0.5)


def plane(weight, offset):
    return lambda images: (images * weight).sum(dim=(1, 2, 3)) + offset


@pytest.mark.parametrize(
    ("norm", "epsilon", "dual"), [("linf", 0.1, 1), ("l2", 0.3, 2)], ids=["linf", "l2"]
)
def test_the_bound_of_two_linear_losses_is_tight(norm, epsilon, dual):
    threat = ThreatModel(norm=norm, epsilon=epsilon)
    start = random_starts(GREY, threat, seed=0)

    bound = bound_of_losses(plane(OURS, 5.0), plane(THEIRS, 1.0), GREY, threat, start=start)

    gap = 0.5 * (OURS - THEIRS).sum().item() + 4
    term = epsilon * (OURS - THEIRS).flatten().norm(p=dual).item()
    torch.testing.assert_close(bound.loss_gap, torch.full((3,), gap))
    torch.testing.assert_close(bound.gradient_term, torch.full((3,), term))
    torch.testing.assert_close(bound.left, bound.right, rtol=1e-4, atol=1e-4)
    assert bound.student_linearity.max() < 1e-5
    assert bound.holds.all()
    assert bound.loss_holds.all()


def test_a_student_equal_to_its_teacher_is_within_the_bound(trained, digits):
    split = Split(digits.validation.images[:20], digits.validation.labels[:20])

    bound = linearity_bound(trained, trained, split, ThreatModel(epsilon=0.1), seed=0, steps=5)

    scalars = bound.scalars()
    assert scalars["left"] == scalars["loss_gap"] == scalars["gradient_term"] == 0
    assert scalars["share"] == scalars["loss_share"] == 1


def test_the_measured_difference_stays_below_the_terms(trained, network, digits):
    split = Split(digits.validation.images[:30], digits.validation.labels[:30])

    bound = linearity_bound(network(), trained, split, ThreatModel(epsilon=0.05), seed=0)

    assert bound.left.shape == (30,)
    assert (bound.left >= bound.loss_gap - 0.5).all()
    assert bound.holds.float().mean() > 0.9


def test_a_bound_without_its_gradient_term_would_break():
    threat = ThreatModel(epsilon=0.1)
    start = random_starts(GREY, threat, seed=0)

    bound = bound_of_losses(plane(OURS, 0.0), plane(THEIRS, 0.0), GREY, threat, start=start)

    assert (bound.left > bound.right - bound.gradient_term + 0.1).all()


def test_the_bound_does_not_depend_on_the_batch_size(trained, network, digits):
    split, student = Split(digits.validation.images[:9], digits.validation.labels[:9]), network()

    small, large = (
        linearity_bound(student, trained, split, ThreatModel(), seed=0, steps=5, batch_size=size)
        for size in (4, 100)
    )

    torch.testing.assert_close(small.right, large.right, rtol=0.02, atol=1e-3)
