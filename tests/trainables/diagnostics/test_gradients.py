import pytest
import torch
from torch.nn import functional as F

from trainables.data import Split
from trainables.diagnostics.gradients import gradient_gap, input_gradients, zero_gradients


@pytest.fixture
def split():
    return Split(torch.rand(6, 1, 2, 2), torch.tensor([0, 1, 2, 0, 1, 2]))


def by_hand(network, split):
    """W^T (p - y) of a linear network."""
    target = F.one_hot(split.labels, 3)
    return (network(split.images).softmax(dim=1) - target).detach() @ network.model.weight.detach()


def test_gradients_of_a_linear_network_by_hand(linear_network, split):
    network = linear_network(torch.randn(3, 4))

    gradients = input_gradients(network, split.images, split.labels, batch_size=4)

    torch.testing.assert_close(gradients.flatten(1), by_hand(network, split))
    assert gradients.shape == split.images.shape


def test_distance_and_cosine_are_means_over_images(linear_network, split):
    student, teacher = (linear_network(torch.randn(3, 4)) for _ in range(2))

    found = gradient_gap(student, teacher, split)

    own, taught = by_hand(student, split), by_hand(teacher, split)
    distance = (own - taught).norm(dim=1).mean().item()
    assert found["gradient_distance"] == pytest.approx(distance, rel=1e-5)
    cosine = ((own * taught).sum(dim=1) / own.norm(dim=1) / taught.norm(dim=1)).mean().item()
    assert found["gradient_cosine"] == pytest.approx(cosine, rel=1e-5)


def test_a_student_that_is_its_teacher_has_no_gap(linear_network, split):
    network = linear_network(torch.randn(3, 4))

    found = gradient_gap(network, network, split)

    assert found["gradient_distance"] == 0
    assert found["gradient_cosine"] == pytest.approx(1.0)


def test_saturated_networks_have_zero_gradients(linear_network, split):
    weight = torch.zeros(3, 4)
    weight[0] = 1e4  # class 0 is certain, and right for two of six images

    assert zero_gradients(linear_network(weight), split) == pytest.approx(2 / 6)
    assert zero_gradients(linear_network(torch.randn(3, 4)), split) == 0


def test_tiny_gradients_keep_their_direction(linear_network, split):
    weight = torch.randn(3, 4)  # both so small that every prediction is uniform
    student, teacher = linear_network(1e-25 * weight), linear_network(1e-5 * weight)

    found = gradient_gap(student, teacher, split)

    assert found["gradient_cosine"] == pytest.approx(1.0, abs=1e-4)
