import math

import pytest
import torch
from scipy.stats import binomtest, norm
from torch import nn

from trainables.data import Split
from trainables.smoothing import (
    ABSTAIN,
    Certificates,
    SmoothingConfig,
    certify,
    class_counts,
    lower_bound,
    radius_of,
)

CONFIG = SmoothingConfig(sigma=0.5, n0=100, n=20_000, alpha=0.01, batch_size=4096)
NORMAL = torch.tensor([3.0, -4.0, 0.0, 12.0])  # of length 13


class Constant(nn.Module):
    def __init__(self, *logits):
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))

    def forward(self, images):
        return self.logits.expand(len(images), -1)


@pytest.fixture
def halfspace(linear_network):
    """Class 1 where ``NORMAL . x > 0``."""
    return linear_network(torch.stack([torch.zeros(4), NORMAL]))


def at_distance(*distances):
    """Images at signed L2 distances from the halfspace's border."""
    unit = NORMAL / NORMAL.norm()
    images = torch.stack([distance * unit for distance in distances]).view(-1, 1, 2, 2)
    return Split(images, torch.tensor([int(distance > 0) for distance in distances]))


def test_the_radius_of_a_linear_classifier_is_its_distance_to_the_border(halfspace):
    distances = [0.3, -0.5, 0.8]

    found = certify(halfspace, at_distance(*distances), CONFIG, seed=0)

    assert found.predictions.tolist() == [1, 0, 1]
    for radius, distance in zip(found.radii.tolist(), distances, strict=True):
        assert abs(distance) - 0.05 < radius <= abs(distance)


def test_the_bound_behind_a_radius_is_that_of_the_exact_probability(halfspace):
    generator = torch.Generator().manual_seed(0)
    image = at_distance(0.3).images[0]

    counts = class_counts(halfspace, image, CONFIG.n, config=CONFIG, generator=generator)

    assert counts.sum() == CONFIG.n
    assert counts[1] / CONFIG.n == pytest.approx(norm.cdf(0.3 / 0.5), abs=0.01)


@pytest.mark.parametrize(
    ("successes", "trials", "alpha"),
    [(0, 10, 0.05), (7, 10, 0.05), (10, 10, 0.001), (990, 1000, 0.01)],
)
def test_the_lower_bound_is_clopper_and_pearsons(successes, trials, alpha):
    test = binomtest(successes, trials, alternative="greater")

    expected = test.proportion_ci(confidence_level=1 - alpha, method="exact").low

    assert lower_bound(successes, trials, alpha) == pytest.approx(expected, abs=1e-12)


def test_the_radius_is_that_of_the_normal_quantile():
    assert radius_of(0.975, 2.0) == pytest.approx(2 * norm.ppf(0.975))
    assert radius_of(0.5, 2.0) == 0


def test_a_network_without_doubt_reaches_the_largest_radius():
    config = SmoothingConfig(sigma=0.25, n=100, alpha=0.001)
    split = Split(torch.rand(2, 1, 2, 2), torch.tensor([1, 1]))

    found = certify(Constant(0.0, 1.0), split, config, seed=0)

    expected = 0.25 * norm.ppf(0.001 ** (1 / 100))  # all n agree: p >= alpha^(1/n)
    assert found.radii.tolist() == pytest.approx([expected] * 2)
    assert config.largest_radius == pytest.approx(expected)


def test_an_image_on_the_border_is_abstained_on_and_wrong(halfspace):
    split = Split(torch.zeros(4, 1, 2, 2), torch.tensor([0, 1, 0, 1]))
    config = SmoothingConfig(sigma=0.5, n=500, alpha=1e-6)

    found = certify(halfspace, split, config, seed=0)

    assert found.predictions.tolist() == [ABSTAIN] * 4
    assert found.abstained == 1
    assert found.accuracy(0) == 0


def test_logits_that_are_not_finite_certify_nothing():
    split = Split(torch.rand(2, 1, 2, 2), torch.tensor([0, 0]))

    found = certify(Constant(math.nan, math.nan), split, CONFIG, seed=0)

    assert found.predictions.tolist() == [ABSTAIN] * 2


def test_certified_accuracy_counts_right_sure_and_far_enough():
    found = Certificates(
        predictions=torch.tensor([1, 1, ABSTAIN, 0]),
        radii=torch.tensor([0.5, 0.2, 0.0, 0.9], dtype=torch.float64),
        labels=torch.tensor([1, 1, 1, 1]),
    )

    assert found.curve([0.0, 0.2, 0.3, 0.6]) == [(0.0, 0.5), (0.2, 0.5), (0.3, 0.25), (0.6, 0)]
    assert found.mean_radius == pytest.approx(0.175)
    assert found.abstained == 0.25


def test_results_depend_neither_on_pieces_nor_on_the_batch_size(trained, digits):
    images, labels = digits.validation.images[:6], digits.validation.labels[:6]
    config = SmoothingConfig(n0=100, n=300, batch_size=1024)

    whole = certify(trained, Split(images, labels), config, seed=3)
    small = certify(
        trained, Split(images, labels), config.model_copy(update={"batch_size": 1}), seed=3
    )
    rest = certify(trained, Split(images[4:], labels[4:]), config, seed=3, first=4)

    assert whole.radii.tolist() == small.radii.tolist()
    assert whole.radii[4:].tolist() == rest.radii.tolist()


def test_another_seed_gives_other_noise(trained, digits):
    split = Split(digits.validation.images[:6], digits.validation.labels[:6])
    config = SmoothingConfig(n0=100, n=300)

    first, second = (certify(trained, split, config, seed=seed).radii for seed in (0, 1))

    assert not torch.equal(first, second)


def test_the_network_stays_in_its_mode(network, digits):
    student = network().train()

    certify(student, Split(digits.test.images[:1], digits.test.labels[:1]), CONFIG, seed=0)

    assert all(module.training for module in student.modules())


def test_an_empty_split_is_refused(halfspace):
    with pytest.raises(ValueError, match="at least one image, got 0"):
        certify(halfspace, Split(torch.rand(0, 1, 2, 2), torch.zeros(0)), CONFIG, seed=0)


@pytest.mark.parametrize(
    ("successes", "trials", "alpha"), [(11, 10, 0.1), (-1, 10, 0.1), (5, 10, 0)]
)
def test_an_impossible_bound_is_refused(successes, trials, alpha):
    with pytest.raises(ValueError, match="successes must be in 0 to trials"):
        lower_bound(successes, trials, alpha)
