"""How far a hypervolume hangs on which trials there are, and on which images they were measured."""

from dataclasses import dataclass

import numpy as np

from tuner.search.front_geometry import Losses, hypervolume

Interval = tuple[float, float]


@dataclass(frozen=True)
class Sample:
    """Trials as numbers.

    Attributes:
        losses: objectives ``(trials, objectives)``, signed, less is better.
        images: on how many images each trial was measured ``(trials,)``; 0 where not known.
        accuracies: which objectives are accuracies that are maximised ``(objectives,)``.
    """

    losses: Losses
    images: Losses
    accuracies: Losses

    @property
    def has_noise(self) -> bool:
        """Whether the binomial noise of any accuracy is known."""
        return bool(self.accuracies.any() and (self.images > 0).any())


def over_trials(sample: Sample, reference: Losses, *, seed: int, times: int) -> Interval:
    """Middle 95 % of the hypervolumes of as many trials, drawn with replacement from these.

    How much hangs on single trials; never above the hypervolume of all of them. Nothing is said
    of what another search would find.

    Args:
        sample: at least one trial.
        reference: corner that hypervolume is measured from ``(objectives,)``.
        seed: of the draws.
        times: how often.
    """
    generator = np.random.default_rng(seed)
    number = len(sample.losses)
    draws = [
        hypervolume(sample.losses[generator.integers(number, size=number)], reference)
        for _ in range(times)
    ]
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)


def over_images(sample: Sample, reference: Losses, *, seed: int, times: int) -> Interval:
    r"""Where the hypervolume of the same trials lies on images without end; 95 %, from 0.

    Every accuracy is drawn anew, :math:`\mathrm{Binomial}(n, a) / n`. A front picks lucky draws, so
    these hypervolumes lie above the one found, as that lies above the true one: the interval is
    theirs, reflected in the one found (the basic bootstrap; Davison and Hinkley, 1997, Sec. 5.2).
    Draws are independent although trials share their images, so it corrects rather too much.

    Args:
        sample: trials, of which some know their number of images.
        reference: corner that hypervolume is measured from ``(objectives,)``.
        seed: of the draws.
        times: how often.
    """
    generator = np.random.default_rng(seed)
    found = hypervolume(sample.losses, reference)
    draws = [hypervolume(_measured_again(sample, generator), reference) for _ in range(times)]
    low, high = np.quantile(draws, [0.025, 0.975])
    return max(0.0, float(2 * found - high)), max(0.0, float(2 * found - low))


def _measured_again(sample: Sample, generator: np.random.Generator) -> Losses:
    """Losses of accuracies on as many other images; what is no accuracy stays."""
    again = sample.losses.copy()
    known = sample.images > 0
    n = sample.images[known].astype(int)
    for column in np.flatnonzero(sample.accuracies):
        shares = np.clip(-sample.losses[known, column], 0, 1)
        again[known, column] = -generator.binomial(n, shares) / n
    return again
