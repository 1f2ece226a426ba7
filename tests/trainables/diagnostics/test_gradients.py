import pytest
import torch

from trainables.data import Split
from trainables.diagnostics import gradient_agreement
from trainables.diagnostics.gradients import agreement_of, input_gradients, saliency

WEIGHT = torch.tensor([[3.0, -1.0, 2.0, 0.0], [0.0, 1.0, -1.0, 4.0]])


@pytest.fixture
def split():
    return Split(torch.rand(5, 1, 2, 2), torch.tensor([0, 1, 0, 1, 1]))


def test_the_input_gradient_of_a_linear_network_has_its_closed_form(linear_network, split):
    network = linear_network(WEIGHT)

    gradients = input_gradients(network, split, batch_size=2)

    wrong = network(split.images).softmax(dim=1).detach()
    wrong[torch.arange(5), split.labels] -= 1
    torch.testing.assert_close(gradients, (wrong @ WEIGHT).view(5, 1, 2, 2))


def test_a_network_agrees_with_itself(network, split):
    student = network()
    images = Split(torch.rand(5, 1, 8, 8), split.labels)

    agreement = gradient_agreement(student, student, images)

    assert agreement == pytest.approx((0, 1, 0))


def test_swapped_classes_of_a_linear_network_point_the_other_way(linear_network, split):
    first, second = linear_network(WEIGHT), linear_network(WEIGHT.flip(0))

    agreement = gradient_agreement(first, second, split)

    distance = (
        (input_gradients(first, split) - input_gradients(second, split)).flatten(1).norm(dim=1)
    )
    assert agreement.cosine == pytest.approx(-1)
    assert agreement.distance == pytest.approx(distance.mean().item())


def test_tiny_gradients_keep_their_direction():
    gradients = torch.randn(4, 1, 2, 2)

    agreement = agreement_of(1e-30 * gradients, gradients)

    assert agreement.cosine == pytest.approx(1)
    assert agreement.zero_share == 0


def test_gradients_that_underflowed_are_counted():
    ours, theirs = torch.ones(4, 1, 2, 2), torch.ones(4, 1, 2, 2)
    ours[0] = 0

    agreement = agreement_of(ours, theirs)

    assert agreement == pytest.approx((0.5, 0.75, 0.25))


def test_saliency_is_the_strongest_channel_as_a_share_of_the_strongest_pixel():
    gradients = torch.tensor([[[[1.0, -4.0]], [[-2.0, 3.0]]], [[[0.0, 0.0]], [[0.0, 0.0]]]])

    maps = saliency(gradients)

    assert maps.tolist() == [[[0.5, 1.0]], [[0.0, 0.0]]]
