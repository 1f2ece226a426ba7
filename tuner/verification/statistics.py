"""How sure an accuracy is that was measured over a few seeds, on the same images for each."""

import math
import statistics
from dataclasses import dataclass
from functools import cached_property

from trainables.measuring.intervals import wilson

Interval = tuple[float, float]
NORMAL = 1.959964
"""Quantile of the normal distribution behind a 95 % interval."""


@dataclass(frozen=True)
class Estimate:
    """One config under one attack at one radius.

    Attributes:
        shares: accuracy of every seed, in [0, 1]; at least one.
        images: how many images each of them was measured on, the same for all.
    """

    shares: tuple[float, ...]
    images: int

    @cached_property
    def mean(self) -> float:
        """Over the seeds, in [0, 1].

        Rounded where only sums of floats differ: equal counts have equal means, and neither beats
        the other.
        """
        return round(statistics.fmean(self.shares), 12)

    @cached_property
    def sd(self) -> float | None:
        """Standard deviation of a sample (n - 1) over the seeds; None for one seed."""
        return statistics.stdev(self.shares) if len(self.shares) > 1 else None

    @property
    def of_images(self) -> Interval:
        """Wilson 95 % interval of the choice of images, for these very students.

        As wide as for one student: seeds share their images, so more seeds are not more images.
        """
        return wilson(min(1.0, max(0.0, self.mean)), self.images)

    @property
    def of_seeds(self) -> Interval | None:
        """Student's 95 % interval of the choice of seeds, on these images; None for one seed."""
        if self.sd is None:
            return None
        count = len(self.shares)
        half = student_quantile(0.975, count - 1) * self.sd / count**0.5
        return max(0.0, self.mean - half), min(1.0, self.mean + half)

    @cached_property
    def interval(self) -> Interval:
        r"""95 % interval of the choice of seeds and images together; Wilson's for one seed.

        On either side both variances are added, and their sum is judged by Student's t with the
        degrees of freedom of Welch (1947) and Satterthwaite (1946): few seeds make it wide only as
        far as seeds are what is uncertain.

        .. math:: h = t_\nu \sqrt{s^2 / m + (w / z)^2}, \quad
            \nu = \frac{(s^2/m + (w/z)^2)^2}{(s^2/m)^2/(m-1) + (w/z)^4/(n-1)}

        with m seeds of standard deviation s, and w the half of Wilson's interval on n images.
        """
        low, high = self.of_images
        return (
            max(0.0, self.mean - self._reach(max(0.0, self.mean - low))),
            min(1.0, self.mean + self._reach(max(0.0, high - self.mean))),
        )

    def _reach(self, half: float) -> float:
        """The length of one side of the interval, from Wilson's."""
        if not self.sd:
            return half
        count = len(self.shares)
        of_seeds, of_images = self.sd**2 / count, (half / NORMAL) ** 2
        total = of_seeds + of_images
        spread = of_seeds**2 / (count - 1) + of_images**2 / max(1, self.images - 1)
        quantile = student_quantile(0.975, total**2 / spread)
        return quantile * float(total**0.5)


def of_difference(one: float, images: int, other: float, others: int) -> Interval:
    """95 % interval of ``one - other``, each on images of its own (Newcombe, 1998, method 10)."""
    low, high = wilson(one, images)
    low_other, high_other = wilson(other, others)
    down, up = math.hypot(one - low, high_other - other), math.hypot(high - one, other - low_other)
    return one - other - down, one - other + up


def student_quantile(share: float, freedom: float) -> float:
    """Student's t below which ``share`` of the distribution lies."""
    from scipy.stats import t  # heavy: not to look at a study

    return float(t.ppf(share, freedom))


def overlap(one: Estimate, other: Estimate) -> bool:
    """Whether the intervals of seeds and images together overlap: the difference may be chance."""
    return max(one.interval[0], other.interval[0]) <= min(one.interval[1], other.interval[1])
