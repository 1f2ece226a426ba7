import pytest
import torch

from trainables.attacks import AttackConfig
from trainables.data import Split
from trainables.diagnostics import feature_gaps, feature_variance, gaps_over_epsilon, variance_gap
from trainables.diagnostics.gaps import gaps_between
from trainables.diagnostics.moments import Moments
from trainables.evaluation import clean_accuracy
from trainables.threat import ThreatModel

THREAT = ThreatModel(epsilon=0.1)


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


def test_every_gap_of_doubled_samples_has_its_closed_form():
    clean = Moments.of(torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0], [0.0, -2.0]]))
    doubled = Moments(clean.count, 2 * clean.mean, 4 * clean.scatter)

    gaps = gaps_between(clean, doubled)

    # covariance diag(0.5, 2), mean 0; doubled: diag(2, 8)
    norm = (0.5**2 + 2**2) ** 0.5
    assert gaps.per_channel.tolist() == pytest.approx([1.5, 6.0])
    assert (gaps.variance, gaps.relative_variance) == pytest.approx((7.5, 3.0))
    assert (gaps.covariance, gaps.relative_covariance) == pytest.approx((3 * norm, 3.0))
    assert (gaps.gram, gaps.relative_gram) == pytest.approx((3 * norm, 3.0))


def test_a_shift_of_all_features_is_seen_by_the_gram_gap_alone():
    samples = torch.randn(50, 3, dtype=torch.float64)

    gaps = gaps_between(Moments.of(samples), Moments.of(samples + 1))

    assert gaps.covariance == pytest.approx(0, abs=1e-12)
    assert gaps.variance == pytest.approx(0, abs=1e-12)
    assert gaps.gram > 1


def test_a_rotation_of_all_features_is_seen_by_the_covariance_and_not_by_the_trace():
    samples = torch.randn(50, 2, dtype=torch.float64) * torch.tensor([3.0, 1.0])

    gaps = gaps_between(Moments.of(samples), Moments.of(samples.flip(1)))

    assert gaps.variance == pytest.approx(0, abs=1e-12)
    assert gaps.relative_covariance > 0.5


def test_channels_add_up_to_the_variance_gap(network):
    clean, noisy = torch.rand(2, 11, 1, 8, 8)

    gaps = feature_gaps(network(), clean, noisy, (-2,))[-2]

    assert gaps.per_channel.shape == (8,)
    assert gaps.per_channel.sum().item() == pytest.approx(gaps.variance)


def test_rows_over_epsilon_start_clean_and_lose_accuracy(trained, digits):
    split = Split(digits.validation.images[:100], digits.validation.labels[:100])

    rows = gaps_over_epsilon(trained, split, THREAT, AttackConfig(steps=10), (0, 0.1, 0.3), seed=0)

    accuracies = [row.robust_accuracy for row in rows]
    assert [row.epsilon for row in rows] == [0, 0.1, 0.3]
    assert accuracies[0] == clean_accuracy(trained, split)
    assert accuracies[0] > accuracies[1] > accuracies[2]
    assert rows[0].gaps.covariance == rows[0].gaps.gram == 0
    assert 0 < rows[1].gaps.gram < rows[2].gaps.gram


def test_rows_do_not_depend_on_the_batch_size(trained, digits):
    split = Split(digits.validation.images[:40], digits.validation.labels[:40])
    attack = AttackConfig(steps=3)

    small, large = (
        gaps_over_epsilon(trained, split, THREAT, attack, (0.1,), seed=0, batch_size=size)[0]
        for size in (7, 100)
    )

    assert small.gaps.relative_gram == pytest.approx(large.gaps.relative_gram, rel=1e-2)
    assert small.robust_accuracy == pytest.approx(large.robust_accuracy, abs=0.026)


@pytest.mark.parametrize(("epsilons", "said"), [((0, -0.1), "-0.1"), ((1.5,), "1.5"), ((), "none")])
def test_impossible_radii_are_one_sentence(epsilons, said, network, digits):
    with pytest.raises(ValueError, match=rf"in \[0, 1\].*got {said}"):
        gaps_over_epsilon(network(), digits.validation, THREAT, AttackConfig(), epsilons, seed=0)
