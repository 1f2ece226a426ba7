"""Do two measured quantities go together on a line, and how sure is that?"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

QUANTILE = 1.959964  # of the standard normal: 95 %


class Correlation(NamedTuple):
    """Pearson's r with its 95 % interval, and the least-squares line ``y = slope x + intercept``.

    The interval (Fisher, 1921) takes the points as independent. Radii of one model share images
    and weights, so there it is narrower than the truth.

    Attributes:
        r: in [-1, 1]; NaN where either quantity never varies.
        low: lower end of the interval; -1 for three points, which bound nothing.
        high: upper end.
        slope: NaN where x never varies.
        intercept: NaN where x never varies.
        num_pairs: pairs used; those with a value that is not finite are left out.
    """

    r: float
    low: float
    high: float
    slope: float
    intercept: float
    num_pairs: int

    def __str__(self) -> str:
        if math.isnan(self.r):
            return f"r undefined: one quantity never varies (n = {self.num_pairs})"
        ends = f"{self.low:.2f} to {self.high:.2f}"
        return f"r = {self.r:.3f} (95 % interval {ends}, n = {self.num_pairs})"


def correlate(x: Sequence[float], y: Sequence[float]) -> Correlation:
    """Correlation of pairs.

    Raises:
        ValueError: if the lengths differ, or fewer than three pairs are finite.
    """
    if len(x) != len(y):
        raise ValueError(f"a correlation needs pairs, got {len(x)} and {len(y)} values")
    pairs = np.array([p for p in zip(x, y, strict=True) if all(map(math.isfinite, p))])
    if len(pairs) < 3:
        raise ValueError(
            f"a correlation needs at least 3 pairs of finite values, got {len(pairs)} of {len(x)}"
        )
    across, up = pairs.T
    if _constant(across):
        nan = math.nan
        return Correlation(nan, nan, nan, nan, nan, len(pairs))
    if _constant(up):
        return Correlation(math.nan, math.nan, math.nan, 0.0, float(up.mean()), len(pairs))
    slope = _product(across, up) / _product(across, across)
    intercept = float(up.mean() - slope * across.mean())
    scale = math.sqrt(_product(across, across)) * math.sqrt(_product(up, up))
    r = min(1.0, max(-1.0, _product(across, up) / scale))
    return Correlation(r, *interval(r, len(pairs)), slope, intercept, len(pairs))


def interval(r: float, count: int) -> tuple[float, float]:
    """95 % interval of r from ``count`` pairs, through Fisher's z."""
    if count <= 3:
        return -1.0, 1.0
    if abs(r) == 1:
        return r, r
    centre, half = math.atanh(r), QUANTILE / math.sqrt(count - 3)
    return math.tanh(centre - half), math.tanh(centre + half)


def _product(a: np.ndarray, b: np.ndarray) -> float:
    return float((a - a.mean()) @ (b - b.mean()))


def _constant(values: np.ndarray) -> bool:
    # measured against the size of the values: rounding is no variation
    return bool(np.ptp(values) <= 1e-12 * np.abs(values).max())
