"""Asynchronous successive halving for several objectives: who goes on at a rung.

Li et al., 2020 (ASHA, the stopping form), with the order of ``ranking`` in the place of a single
metric (Schmucker et al., 2021). No Ray in here: the same object serves Ray, a rebuilt driver and
the simulation.
"""

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from tuner.search.front_geometry import Losses
from tuner.search.ranking import is_among_best
from tuner.search.scheduler_config import HalvingConfig

Foresee = Callable[[Iterable[int]], Losses | None]


class Rung:
    """Who came to an epoch, and with what: a row of losses and a violation per trial."""

    def __init__(self, columns: int) -> None:
        self._places: dict[int, int] = {}
        self._rows = np.empty((16, columns))

    def put(self, number: int, row: Sequence[float]) -> int:
        """Place of the trial's row; a trial that comes again, after a crash, is not doubled."""
        place = self._places.setdefault(number, len(self._places))
        if place == len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
        self._rows[place] = row
        return place

    @property
    def numbers(self) -> Iterable[int]:
        """The trials, in the order of their coming."""
        return self._places

    @property
    def rows(self) -> Losses:
        """One per trial, in the order of their coming."""
        return self._rows[: len(self._places)]


def _is_best(place: int, points: Losses, violations: Losses) -> bool:
    """Whether a point is strictly the best in an objective, among those that hold constraints."""
    others = np.arange(len(points)) != place
    rivals = points[others & (violations <= 0)]
    return bool(violations[place] <= 0 and (points[place] < rivals).all(axis=0).any())


class Halving:
    """All rungs of a study.

    Args:
        config: reduction factor, brackets, how ties are broken.
        epochs: of a whole trial.
        num_objectives: so many trials always go on, at least: the best of each objective.
        seed: of the drawing of brackets.
    """

    def __init__(
        self, config: HalvingConfig, *, epochs: int, num_objectives: int, seed: int = 0
    ) -> None:
        self._config, self._num_objectives, self._seed = config, num_objectives, seed
        self._milestones = config.milestones(epochs)
        self._rungs: dict[tuple[int, int], Rung] = {}

    def bracket(self, number: int) -> int:
        """The trial's bracket, drawn from its number alone: a restarted driver draws the same.

        A bracket is as likely as the trials of one with fewer rungs are dear (Li et al., 2018).
        """
        brackets = min(self._config.brackets, max(1, len(self._milestones)))
        weights = np.exp(-np.arange(brackets, dtype=float))
        generator = np.random.default_rng([self._seed, number])
        return int(generator.choice(brackets, p=weights / weights.sum()))

    def rungs(self, number: int) -> list[int]:
        """Epochs at which the trial is compared with others."""
        return self._milestones[self.bracket(number) :]

    def note(self, number: int, epoch: int, losses: Sequence[float], violation: float) -> None:
        """Enter a report without judging it; one between rungs says nothing."""
        if epoch in self.rungs(number) and np.isfinite([*losses, violation]).all():
            self._rung(number, epoch).put(number, (*losses, violation))

    def _rung(self, number: int, epoch: int) -> Rung:
        return self._rungs.setdefault(
            (self.bracket(number), epoch), Rung(columns=self._num_objectives + 1)
        )

    def judge(
        self,
        number: int,
        epoch: int,
        losses: Sequence[float],
        violation: float,
        *,
        foresee: Foresee = lambda _: None,
    ) -> str:
        """Enter a report, and say why the trial should stop; an empty string if it goes on.

        Whoever is the best so far in an objective goes on, whatever is foreseen.

        Args:
            number: the trial's.
            epoch: the report's, counted from 1.
            losses: one per objective; less is better.
            violation: how far from holding the constraints; 0 or less where they are held.
            foresee: losses at the end of the trials at this rung, which are then compared instead;
                None where nothing can be said yet.
        """
        if epoch not in self.rungs(number):
            return ""
        if not np.isfinite([*losses, violation]).all():
            return f"not finite at rung {epoch}: {', '.join(f'{loss:g}' for loss in losses)}"
        rung = self._rung(number, epoch)
        place = rung.put(number, (*losses, violation))
        points, violations = rung.rows[:, :-1], rung.rows[:, -1]
        foreseen = foresee(rung.numbers)
        capacity = self.capacity(len(points))
        goes_on, rank = is_among_best(
            place,
            capacity,
            points if foreseen is None else foreseen,
            violations,
            tie_break=self._config.tie_break,
        )
        if goes_on or (foreseen is not None and _is_best(place, points, violations)):
            return ""
        how = "rank" if foreseen is None else "foreseen rank"
        return (
            f"{how} {rank} at rung {epoch}: not among the best {capacity} of the {len(points)} "
            "trials that came there"
        )

    def capacity(self, arrived: int) -> int:
        """How many of those that arrived at a rung would go on."""
        share = math.ceil(arrived / self._config.reduction_factor)
        return max(self._num_objectives, share)
