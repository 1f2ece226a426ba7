import pytest
import torch

from trainables.diagnostics import feature_variance, variance_gap
from trainables.diagnostics.gaps import gaps


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


def test_all_gaps_by_hand(network):
    student, clean = network().eval(), torch.rand(20, 1, 8, 8)
    moved = (clean + 0.2 * torch.randn(clean.shape)).clamp(0, 1)
    before, after = (
        student.outputs(images, (-1,)).features[-1].mean(dim=1).detach().double()
        for images in (clean, moved)
    )

    found = gaps(student, clean, moved, batch_size=7)

    covariances = [f.T.cov(correction=0) for f in (before, after)]
    grams = [f.T @ f / 20 for f in (before, after)]
    torch.testing.assert_close(
        found.per_channel, covariances[1].diagonal() - covariances[0].diagonal()
    )
    assert found.variance == pytest.approx((covariances[1] - covariances[0]).trace().item())
    for value, (a, b) in ((found.covariance, covariances), (found.gram, grams)):
        assert value == pytest.approx(((b - a).norm() / a.norm()).item())


@pytest.mark.parametrize("shape", [(1, 1, 8, 8), (3, 1, 8, 8)])
def test_what_cannot_be_compared_is_refused(shape, network):
    with pytest.raises(ValueError, match="the same images, at least two"):
        gaps(network(), torch.rand(shape), torch.rand(shape[0] - 1, 1, 8, 8))
