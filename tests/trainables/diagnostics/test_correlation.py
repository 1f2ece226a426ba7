import math

import numpy as np
import pytest
from scipy import stats

from trainables.diagnostics.correlation import correlation


def test_it_is_pearsons_with_fishers_interval_and_the_least_squares_line():
    generator = np.random.default_rng(0)
    x = generator.normal(size=30)
    y = -2 * x + 1 + 0.5 * generator.normal(size=30)

    found = correlation(list(x), list(y))

    reference = stats.pearsonr(x, y)
    line = stats.linregress(x, y)
    interval = reference.confidence_interval()
    assert (found.r, found.slope, found.offset) == pytest.approx(
        (reference.statistic, line.slope, line.intercept)
    )
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-5)


def test_pairs_that_are_not_finite_are_left_out():
    found = correlation([1, 2, 3, 4, float("nan")], [2, 4, 6, 8, 1])

    assert found.count == 4
    assert found.r == pytest.approx(1.0)


def test_what_does_not_vary_has_no_correlation():
    assert math.isnan(correlation([1, 1, 1], [1, 2, 3]).r)


def test_three_pairs_say_nothing_of_the_interval():
    found = correlation([1, 2, 3], [1, 2, 4])

    assert (found.low, found.high) == (-1.0, 1.0)


def test_two_pairs_are_refused():
    with pytest.raises(ValueError, match="at least 3 pairs of finite numbers, got 2"):
        correlation([1, 2], [3, 4])
