import numpy as np
import pytest
from scipy import stats

from trainables.measuring.intervals import wilson
from tuner.verification.statistics import Estimate, of_difference, overlap


def test_one_seed_has_the_interval_of_its_images_alone():
    estimate = Estimate((0.4,), 300)

    assert (estimate.mean, estimate.sd, estimate.of_seeds) == (0.4, None, None)
    assert estimate.interval == pytest.approx(wilson(0.4, 300))


def test_equal_counts_have_equal_means_whatever_the_seeds_they_come_from():
    one, other = Estimate((37 / 40, 36 / 40), 40), Estimate((35 / 40, 38 / 40), 40)

    assert sum(one.shares) / 2 != sum(other.shares) / 2
    assert one.mean == other.mean == 0.9125


def test_seeds_that_agree_leave_the_interval_of_the_images():
    estimate = Estimate((0.4, 0.4, 0.4), 300)

    assert estimate.sd == 0
    assert estimate.interval == pytest.approx(wilson(0.4, 300))


def test_the_interval_of_the_seeds_is_students():
    shares = (0.40, 0.42, 0.47)
    estimate = Estimate(shares, 300)

    expected = stats.t.interval(0.95, 2, loc=np.mean(shares), scale=stats.sem(shares))
    assert estimate.of_seeds == pytest.approx(expected)


def test_two_seeds_have_the_quantile_of_one_degree_of_freedom():
    low, high = Estimate((0.49, 0.51), 10_000).of_seeds

    assert (high - low) / 2 == pytest.approx(12.706 * 0.01, rel=1e-4)


def test_without_noise_of_images_the_interval_is_students():
    estimate = Estimate((0.40, 0.42, 0.47), 10**9)

    assert estimate.interval == pytest.approx(estimate.of_seeds, abs=1e-4)


def test_variances_of_seeds_and_images_add_up_with_the_degrees_of_welch():
    estimate = Estimate((0.46, 0.54), 100)

    low, high = wilson(0.5, 100)
    of_seeds, of_images = 0.0032 / 2, ((high - low) / 2 / 1.959964) ** 2
    freedom = (of_seeds + of_images) ** 2 / (of_seeds**2 / 1 + of_images**2 / 99)
    half = stats.t.ppf(0.975, freedom) * (of_seeds + of_images) ** 0.5
    assert estimate.interval == pytest.approx((0.5 - half, 0.5 + half))


@pytest.mark.parametrize("shares", [(0.0, 0.0), (1.0, 1.0), (0.0, 0.3), (0.99, 1.0)])
def test_the_interval_holds_the_mean_and_stays_among_shares(shares):
    low, high = Estimate(shares, 50).interval

    assert 0 <= low <= sum(shares) / 2 <= high <= 1
    assert high - low > 0


@pytest.mark.parametrize(("seeds", "sd"), [(2, 0.01), (3, 0.03), (5, 0.05)])
def test_the_interval_covers_the_truth_at_least_as_often_as_it_says(seeds, sd):
    generator = np.random.default_rng(seeds)
    truth, images, covered = 0.6, 300, 0

    for _ in range(600):
        levels = generator.normal(truth, sd, seeds).clip(0, 1)
        luck = generator.random(images)  # an image is as hard for every seed
        shares = tuple(float((luck < level).mean()) for level in levels)
        low, high = Estimate(shares, images).interval
        covered += low <= truth <= high

    assert covered / 600 > 0.93


def test_the_interval_of_a_difference_is_newcombes():
    interval = of_difference(56 / 70, 70, 48 / 80, 80)  # his example, method 10

    assert interval == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_intervals_overlap_or_do_not():
    one, near, far = Estimate((0.5,), 300), Estimate((0.55,), 300), Estimate((0.8,), 300)

    assert overlap(one, near)
    assert overlap(near, one)
    assert not overlap(one, far)
