"""What a trial that is not done would end with, learnt from the trials that are.

At an early rung the objectives themselves may say little, or the opposite of what they will say at
the end: while the radius grows, whoever learns slowly looks robust. What the finished trials looked
like at that epoch, and where they ended, says more.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tuner.records import Metrics
from tuner.search.front_geometry import Losses

if TYPE_CHECKING:
    from sklearn.ensemble import ExtraTreesRegressor

Array = NDArray[np.float64]

TREES = 50
GROWTH = 1.1
"""The forest is grown anew whenever there are that many times more finished trials."""
LOOKS = 4
"""Epochs of a curve that are looked at, evenly spaced up to the rung."""


def features(reports: Sequence[Metrics], metrics: Sequence[str]) -> list[float]:
    """What is known of a trial at its newest report: its metrics then and at earlier epochs.

    Args:
        reports: of its first epochs, one per epoch.
        metrics: names; one that was not reported counts as 0.
    """
    last = len(reports)
    looks = sorted({max(1, round(last * look / LOOKS)) for look in range(1, LOOKS + 1)})
    return [float(reports[look - 1].get(name, 0.0)) for look in looks for name in metrics]


class Foresight:
    """A forest per rung, from features at the rung to losses at the end.

    Args:
        least: finished trials that it needs before it says anything.
        most: of more it learns from the newest, so that it costs the same at trial 10,000.
    """

    def __init__(self, least: int, most: int = 500) -> None:
        self._least, self._most = least, most
        self._seen: dict[int, dict[int, list[float]]] = {}
        self._ends: dict[int, Sequence[float]] = {}
        self._forests: dict[int, tuple[int, ExtraTreesRegressor]] = {}
        self._predicted: dict[int, dict[int, Sequence[float]]] = {}

    def see(self, epoch: int, number: int, found: list[float]) -> None:
        """Note what a trial looked like at a rung."""
        self._seen.setdefault(epoch, {})[number] = found

    def finish(self, number: int, losses: Sequence[float]) -> None:
        """Note where a trial ended."""
        self._ends[number] = losses

    def predict(self, epoch: int, numbers: Iterable[int]) -> Losses | None:
        """Losses at the end ``(trials, objectives)``; None while too few have finished.

        Args:
            epoch: a rung.
            numbers: trials that were seen there.
        """
        if not self._renew(epoch):
            return None
        known = self._predicted[epoch]
        wanted = list(numbers)
        if new := [number for number in wanted if number not in known]:
            rows = np.array([self._seen[epoch][number] for number in new])
            known |= zip(new, self._forests[epoch][1].predict(rows), strict=True)
        return np.array([known[number] for number in wanted])

    def _renew(self, epoch: int) -> bool:
        """Grow the forest if it has become too small; whether there is one."""
        seen = self._seen.get(epoch, {})
        done = [number for number in seen if number in self._ends]
        size = self._forests[epoch][0] if epoch in self._forests else 0
        if len(done) < self._least:
            return False
        if len(done) >= max(GROWTH * size, size + 1):
            newest = done[-self._most :]
            forest = _forest()
            ends = np.array([self._ends[number] for number in newest])
            forest.fit(np.array([seen[number] for number in newest]), ends.reshape(len(ends), -1))
            self._forests[epoch] = len(done), forest
            self._predicted[epoch] = {}
        return True


def _forest() -> "ExtraTreesRegressor":
    from sklearn.ensemble import ExtraTreesRegressor  # heavy: not before it is needed

    return ExtraTreesRegressor(TREES, min_samples_leaf=2, random_state=0)
