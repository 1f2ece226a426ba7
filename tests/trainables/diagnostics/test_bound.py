import pytest
import torch

from trainables.data import Split
from trainables.diagnostics.bound import largest, measured_bound
from trainables.threat import ThreatModel

GREY = torch.full((3, 1, 2, 2), 0.5)
WEIGHT = torch.tensor([[1.0, -2.0], [0.5, 3.0]])
FIRST, SECOND = torch.tensor([3.0, -1.0, 2.0, 0.0]), torch.tensor([0.5, 1.0, -1.0, 2.0])


def plane(images):
    return (images * WEIGHT).sum(dim=(1, 2, 3))


@pytest.mark.parametrize(
    ("norm", "epsilon", "dual"), [("linf", 0.1, 1), ("l2", 0.3, 2)], ids=["linf", "l2"]
)
def test_the_largest_value_of_a_plane_is_its_dual_norm_away(norm, epsilon, dual):
    threat = ThreatModel(norm=norm, epsilon=epsilon)
    start = threat.random_start(GREY, torch.Generator().manual_seed(0))

    found = largest(plane, GREY, threat, start=start, steps=50)

    expected = plane(GREY) + epsilon * WEIGHT.flatten().norm(p=dual)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_the_largest_value_is_kept_when_the_ascent_walks_on():
    def peak(images):
        return -(images - 0.51).abs().sum(dim=(1, 2, 3))  # steps of 0.05 jump over it

    threat = ThreatModel(epsilon=0.5)

    found = largest(peak, GREY, threat, start=GREY, steps=1)

    assert (found >= peak(GREY)).all()


def logistic_split():
    return Split(0.3 + 0.4 * torch.rand(6, 1, 2, 2), torch.tensor([0, 1, 0, 1, 1, 0]))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_of_linear_networks_every_term_has_its_closed_form(norm, linear_network):
    split, threat = logistic_split(), ThreatModel(norm=norm, epsilon=0.1)
    student, teacher = (
        linear_network(torch.stack([weight, torch.zeros(4)])) for weight in (FIRST, SECOND)
    )

    bound = measured_bound(student, teacher, split, threat, seed=0)

    sign = 1 - 2 * split.labels.float()
    flat = split.images.flatten(1)
    scores = [-sign * (flat @ weight) for weight in (FIRST, SECOND)]
    losses = [torch.nn.functional.softplus(score) for score in scores]
    slopes = [
        -(sign * s.sigmoid())[:, None] * w for s, w in zip(scores, (FIRST, SECOND), strict=True)
    ]
    dual = 1 if norm == "linf" else 2
    reach = 0.1 * FIRST.norm(p=dual)
    torch.testing.assert_close(bound.loss_gap, (losses[0] - losses[1]).abs(), rtol=1e-4, atol=1e-5)
    term = 0.1 * (slopes[0] - slopes[1]).norm(p=dual, dim=1)
    torch.testing.assert_close(bound.gradient_term, term, rtol=1e-4, atol=1e-5)
    maximum = torch.nn.functional.softplus(scores[0] + reach)
    torch.testing.assert_close(bound.student_maximum, maximum, rtol=1e-3, atol=1e-4)
    assert bound.holds.all()
    assert bound.maximum_holds.all()


def test_a_bound_without_its_gradient_term_would_break(linear_network):
    threat = ThreatModel(epsilon=0.1)
    student, teacher = (
        linear_network(torch.stack([weight, torch.zeros(4)])) for weight in (FIRST, -FIRST)
    )

    bound = measured_bound(student, teacher, logistic_split(), threat, seed=0)

    assert (bound.left > bound.right - bound.gradient_term).all()


def test_a_student_equal_to_its_teacher_is_within_the_bound(trained, digits):
    split = Split(digits.validation.images[:20], digits.validation.labels[:20])

    scalars = measured_bound(trained, trained, split, ThreatModel(), seed=0, steps=5).scalars()

    assert scalars["left"] == scalars["loss_gap"] == scalars["gradient_term"] == 0
    assert scalars["share"] == scalars["maximum_share"] == 1


def test_networks_are_left_as_they_were(network, digits):
    student, teacher = network().train(), network("small_resnet8").train()
    split = Split(digits.test.images[:4], digits.test.labels[:4])
    before = {key: value.clone() for key, value in student.state_dict().items()}

    measured_bound(student, teacher, split, ThreatModel(), seed=0, steps=2)

    assert all(torch.equal(value, before[key]) for key, value in student.state_dict().items())
    assert all(m.training for n in (student, teacher) for m in n.modules())
    assert all(p.grad is None for n in (student, teacher) for p in n.parameters())
