import pytest
import torch

from trainables.diagnostics.moments import (
    Moments,
    as_samples,
    feature_moments,
    joint_moments,
    merge,
)


def samples(count=37, channels=5, seed=1, offset=100.0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, channels, generator=generator, dtype=torch.float64) + offset


@pytest.mark.parametrize("sizes", [(37,), (1, 36), (10, 10, 17), (1,) * 37])
def test_streamed_moments_are_those_of_one_pass(sizes):
    whole = samples()

    streamed = merge(Moments.of(part) for part in torch.split(whole, list(sizes)))

    centred = whole - whole.mean(dim=0)
    assert streamed.count == 37
    torch.testing.assert_close(streamed.mean, whole.mean(dim=0))
    torch.testing.assert_close(streamed.covariance, centred.T @ centred / 37)
    torch.testing.assert_close(streamed.gram, whole.T @ whole / 37)
    torch.testing.assert_close(streamed.variances, whole.var(dim=0, correction=0))


def test_a_large_mean_costs_no_digits():
    near, far = (
        merge(Moments.of(part) for part in torch.split(samples(offset=offset), 5))
        for offset in (0.0, 1e6)
    )

    torch.testing.assert_close(far.covariance, near.covariance, rtol=1e-8, atol=1e-8)


def test_fewer_images_than_channels_give_a_singular_but_right_covariance():
    whole = samples(count=3, channels=8)

    moments = Moments.of(whole)

    torch.testing.assert_close(moments.covariance, torch.cov(whole.T, correction=0))
    assert torch.linalg.matrix_rank(moments.covariance) == 2


def test_one_image_has_no_variance():
    assert Moments.of(samples(count=1)).covariance.abs().max() == 0


def test_no_image_is_refused(network):
    with pytest.raises(ValueError, match="at least one image, got 0"):
        feature_moments(network(), torch.rand(0, 1, 8, 8))


@pytest.mark.parametrize("architecture", ["small_resnet6", "vit_pico_patch2_8"])
@pytest.mark.parametrize("pool", ["average", "spatial"])
def test_feature_moments_do_not_depend_on_the_batch_size(architecture, pool, network):
    student, images = network(architecture), torch.rand(11, 1, 8, 8)

    small, large = (
        feature_moments(student, images, (-1, -2), pool=pool, batch_size=size) for size in (3, 100)
    )

    for layer in (-1, -2):
        assert small[layer].count == large[layer].count
        torch.testing.assert_close(small[layer].gram, large[layer].gram, rtol=1e-5, atol=1e-6)


def test_spatial_samples_are_the_positions():
    features = torch.arange(12.0).view(2, 3, 2)  # images, positions, channels

    spatial, average = as_samples(features, "spatial"), as_samples(features, "average")

    assert spatial.tolist() == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9], [10, 11]]
    assert average.tolist() == [[2, 3], [8, 9]]


def test_an_unknown_pool_is_one_sentence():
    with pytest.raises(ValueError, match="pool must be 'average' or 'spatial', got 'max'"):
        as_samples(torch.rand(2, 3, 4), "max")


def test_an_unknown_layer_is_one_sentence(network):
    with pytest.raises(ValueError, match="SmallResNet has no feature layers"):
        feature_moments(network(), torch.rand(2, 1, 8, 8), (-9,))


def test_joint_moments_hold_both_networks_own(network):
    student, teacher, images = network(), network("small_resnet8"), torch.rand(11, 1, 8, 8)

    joint, width = joint_moments(student, teacher, images, batch_size=4)

    own = feature_moments(student, images)[-1].covariance
    theirs = feature_moments(teacher, images)[-1].covariance
    assert width == 16
    torch.testing.assert_close(joint.covariance[:16, :16], own, rtol=1e-5, atol=1e-8)
    torch.testing.assert_close(joint.covariance[16:, 16:], theirs, rtol=1e-5, atol=1e-8)


def test_positions_of_unequal_count_are_refused(network):
    student, teacher = network("small_resnet6"), network("small_resnet8")  # 4x4 and 2x2 positions

    with pytest.raises(ValueError, match="has 16 in the student and 4 in the teacher"):
        joint_moments(student, teacher, torch.rand(3, 1, 8, 8), pool="spatial")
