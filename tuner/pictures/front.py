"""The picture of a front before anyone draws it: axes, marks and the staircase of what is reached.

Shape says which student, colour says which part a trial plays, so both the PNG and the page read
the same.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from matplotlib.ticker import MaxNLocator

from tuner.analysis.results import Results
from tuner.quantities import is_accuracy, measured, words
from tuner.records import TrialRecord

Role = Literal["searched", "front", "baseline"]


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        label: what it shows, with its unit.
        low: left or lower end, in the unit of the label.
        high: right or upper end.
        ticks: where numbers stand, inside the ends.
    """

    label: str
    low: float
    high: float
    ticks: tuple[float, ...]

    def share(self, value: float) -> float:
        """Where a value lies, 0 at the low end and 1 at the high end."""
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class Mark:
    """One complete trial in the picture; ``x`` and ``y`` in the units of the axes."""

    record: TrialRecord
    x: float
    y: float
    role: Role
    on_front: bool
    is_knee: bool


@dataclass(frozen=True, eq=False)
class FrontPicture:
    """The first two objectives against each other; a single one against the trial's number.

    Attributes:
        results: the study.
        frame: axes shared with other pictures; default: around the study's own trials.
    """

    results: Results
    frame: tuple[Axis, Axis] | None = None

    @cached_property
    def marks(self) -> list[Mark]:
        """All complete trials, those that matter most last, so that they are drawn on top."""
        order = {"searched": 0, "front": 1, "baseline": 2}
        marks = [self._mark(record) for record in self.results.complete]
        return sorted(marks, key=lambda mark: (order[mark.role], mark.is_knee))

    def _mark(self, record: TrialRecord) -> Mark:
        on_front = self.results.ranks[record.number] == 0
        role: Role = "baseline" if record.is_baseline else "front" if on_front else "searched"
        x, y = self._place(record)
        return Mark(record, x, y, role, on_front, on_front and record is self.results.knee)

    def _place(self, record: TrialRecord) -> tuple[float, float]:
        *first, second = [in_unit(metric, record.values[metric]) for metric in self._metrics]
        return (first[0] if first else float(record.number)), second

    @property
    def _metrics(self) -> list[str]:
        return self.results.metrics[:2]

    @property
    def students(self) -> list[str]:
        """Architectures by the order in which they take the shapes."""
        return sorted({record.student for record in self.results.complete})

    @property
    def baselines(self) -> list[str]:
        """Names of baselines by the order in which they take the colours."""
        return list(dict.fromkeys(record.label for record in self.results.baselines))

    @cached_property
    def stairs(self) -> list[tuple[float, float]]:
        """Corners of the border of what the front dominates; empty unless there are two objectives.

        From the edge of the picture to the best trial on the first objective, over every trial of
        the front, to the other edge.
        """
        if len(self.results.metrics) != 2 or not self.results.front:
            return []
        worst_x, worst_y = self._worst_corner
        corners: list[tuple[float, float]] = []
        y = worst_y
        for record in self.results.front:
            x, next_y = self._place(record)
            corners += [(x, y), (x, next_y)]
            y = next_y
        return [*corners, (worst_x, y)]

    @property
    def _worst_corner(self) -> tuple[float, float]:
        maximised = [o.direction == "maximize" for o in self.results.study.objectives]
        x, y = [
            axis.low if larger_is_better else axis.high
            for axis, larger_is_better in zip((self.x, self.y), maximised, strict=True)
        ]
        return x, y

    @cached_property
    def x(self) -> Axis:
        """The horizontal axis."""
        if self.frame:
            return self.frame[0]
        label = axis_label(self._metrics[0]) if len(self._metrics) > 1 else "trial"
        return axis_around(label, [(mark.x, mark.role) for mark in self.marks])

    @cached_property
    def y(self) -> Axis:
        """The vertical axis."""
        if self.frame:
            return self.frame[1]
        return axis_around(
            axis_label(self._metrics[-1]), [(mark.y, mark.role) for mark in self.marks]
        )

    @cached_property
    def inside(self) -> list[Mark]:
        """The marks between the ends of both axes."""
        return [
            m for m in self.marks if 0 <= self.x.share(m.x) <= 1 and 0 <= self.y.share(m.y) <= 1
        ]

    @property
    def outside(self) -> str:
        """A sentence on the trials that lie outside the axes; empty if there are none."""
        missing = len(self.marks) - len(self.inside)
        plural = "trial lies" if missing == 1 else "trials lie"
        return f"{missing} weak {plural} outside the picture." if missing else ""

    @property
    def knee_text(self) -> str:
        """What the knee is, in a line."""
        knee = self.results.knee
        return f"knee: trial {knee.number}, {measured(knee.values)}"


def in_unit(metric: str, value: float) -> float:
    """A value in the unit of its axis: percent for accuracies."""
    return 100 * value if is_accuracy(metric) else value


def axis_label(metric: str) -> str:
    """Name of a metric's axis, with its unit."""
    return f"{words(metric)}, %" if is_accuracy(metric) else words(metric)


def axis_around(label: str, placed: list[tuple[float, Role]], *, ticks: int = 6) -> Axis:
    """Ends around the front, the baselines, and the other trials but for outliers.

    Outliers lie more than 1.5 interquartile ranges beyond the quartiles (Tukey, 1977): a few
    diverged trials at 10 % would otherwise press the front into a corner.
    """
    shown = [value for value, role in placed if role != "searched"]
    others = [value for value, role in placed if role == "searched"]
    if others:
        first, third = np.quantile(others, [0.25, 0.75])
        reach = 1.5 * (third - first)
        shown += [value for value in others if first - reach <= value <= third + reach]
    low, high = (min(shown), max(shown)) if shown else (0.0, 100.0)
    margin = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    low, high = low - margin, high + margin
    steps = MaxNLocator(nbins=ticks, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return Axis(label, low, high, tuple(float(tick) for tick in steps if low <= tick <= high))
