import pytest
import torch

from trainables.diagnostics import feature_variance, variance_gap


def test_feature_variance_is_the_sum_of_the_variances_of_pooled_channels(linear_network):
    network = linear_network(torch.eye(4), scale=3.0)
    images = torch.rand(20, 1, 2, 2)

    variance = feature_variance(network, images)

    pooled = 3 * images.mean(dim=(2, 3))
    assert variance == pytest.approx(pooled.var(dim=0, correction=0).sum().item())


def test_feature_variance_does_not_depend_on_the_batch_size(network):
    student, images = network(), torch.rand(11, 1, 8, 8)

    small, large = (feature_variance(student, images, batch_size) for batch_size in (3, 100))

    assert small == pytest.approx(large, rel=1e-6)


def test_images_that_double_the_features_triple_the_variance_more(linear_network):
    network, images = linear_network(torch.eye(4)), 0.5 * torch.rand(20, 1, 2, 2)

    gap = variance_gap(network, images, 2 * images)

    assert gap == pytest.approx(3.0)


def test_unmoved_images_have_no_gap(network):
    images = torch.rand(11, 1, 8, 8)

    assert variance_gap(network(), images, images) == 0


def test_constant_features_give_no_division_by_zero(linear_network):
    images = torch.full((5, 1, 2, 2), 0.5)

    assert variance_gap(linear_network(torch.eye(4)), images, images) == 0


def test_the_network_stays_in_its_mode(network):
    student = network().train()
    before = {key: value.clone() for key, value in student.state_dict().items()}

    feature_variance(student, torch.rand(11, 1, 8, 8))

    assert all(module.training for module in student.modules())
    assert all(torch.equal(value, before[key]) for key, value in student.state_dict().items())
