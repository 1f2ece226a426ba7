import math

import numpy as np
import pytest
from scipy import stats

from trainables.diagnostics import correlate

X = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
Y = [9.1, 7.2, 6.8, 4.1, 3.9, 1.2]


def test_correlation_and_line_are_scipys():
    found = correlate(X, Y)

    expected, line = stats.pearsonr(X, Y), stats.linregress(X, Y)
    interval = expected.confidence_interval(0.95)
    assert found.r == pytest.approx(expected.statistic)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=1e-6)
    assert (found.slope, found.intercept) == pytest.approx((line.slope, line.intercept))


def test_points_on_a_line_correlate_fully():
    found = correlate(X, [3 - 2 * x for x in X])

    assert found == pytest.approx((-1, -1, -1, -2, 3, 6))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_pairs_that_are_not_finite_are_left_out(bad):
    found = correlate([*X, bad, 6.0], [*Y, 1.0, bad])

    assert found == correlate(X, Y)


def test_three_points_bound_nothing():
    found = correlate([0, 1, 2], [0, 1, 1])

    assert (found.low, found.high) == (-1, 1)


def test_two_points_are_refused():
    with pytest.raises(ValueError, match="at least 3 pairs of finite values, got 2 of 3"):
        correlate([0, 1, math.nan], [0, 1, 2])


def test_unequal_lengths_are_refused():
    with pytest.raises(ValueError, match="needs pairs, got 3 and 2 values"):
        correlate([0, 1, 2], [0, 1])


@pytest.mark.parametrize("constant", [0.3, 0.0, 1e6])
def test_what_never_varies_has_no_correlation(constant):
    same = [constant] * len(X)

    across, up = correlate(same, Y), correlate(X, same)

    assert math.isnan(across.r)
    assert math.isnan(across.slope)
    assert math.isnan(up.r)
    assert (up.slope, up.intercept) == (0, constant)
    assert "undefined" in str(across)


def test_r_does_not_depend_on_units():
    found = correlate(1e-9 * np.array(X), 1e9 * np.array(Y))

    assert found.r == pytest.approx(correlate(X, Y).r)


def test_the_words_name_r_interval_and_n():
    assert str(correlate(X, Y)) == "r = -0.979 (95 % interval -1.00 to -0.81, n = 6)"
