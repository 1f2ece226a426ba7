"""Whether two quantities lie on a line."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Correlation:
    """Pearson's r with its 95 % interval, and the least-squares line ``y = slope * x + offset``."""

    r: float
    low: float
    high: float
    slope: float
    offset: float
    count: int

    def __str__(self) -> str:
        return f"r = {self.r:+.2f} [{self.low:+.2f}, {self.high:+.2f}], n = {self.count}"


def correlation(x: Sequence[float], y: Sequence[float]) -> Correlation:
    """Pearson's r of the finite pairs; the interval by Fisher's z, which takes them as independent.

    r and its interval are NaN where one side does not vary; the interval is [-1, 1] for n = 3.

    Raises:
        ValueError: for fewer than three finite pairs.
    """
    pairs = np.array([(a, b) for a, b in zip(x, y, strict=True) if math.isfinite(a + b)])
    if len(pairs) < 3:
        raise ValueError(
            f"a correlation needs at least 3 pairs of finite numbers, got {len(pairs)}"
        )
    first, second = pairs.T
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        nan = float("nan")
        return Correlation(nan, nan, nan, nan, nan, len(pairs))
    r = float(np.corrcoef(first, second)[0, 1])
    slope, offset = np.polyfit(first, second, 1)
    return Correlation(r, *_interval(r, len(pairs)), float(slope), float(offset), len(pairs))


def _interval(r: float, count: int) -> tuple[float, float]:
    if count == 3 or abs(r) >= 1:
        return (-1.0, 1.0) if count == 3 else (r, r)
    z, half = math.atanh(r), 1.959964 / math.sqrt(count - 3)
    return math.tanh(z - half), math.tanh(z + half)
