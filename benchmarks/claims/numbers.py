"""Means over seeds, paired differences, and the tables made of them."""

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scipy import stats

from benchmarks.claims.plan import Run

Found = Mapping[str, Mapping[str, Any]]
"""Everything measured on a run, by measure."""


@dataclass(frozen=True)
class Results:
    """The measured runs of one group, by label and seed."""

    group: str
    found: Mapping[tuple[str, int], Found]

    @classmethod
    def of(cls, group: str, measured: Iterable[tuple[Run, Found]]) -> "Results":
        """Those of a group."""
        chosen = {(run.label, run.seed): found for run, found in measured if run.group == group}
        return cls(group, chosen)

    @property
    def labels(self) -> list[str]:
        """In the order of the plan."""
        return list(dict.fromkeys(label for label, _ in self.found))

    def values(self, label: str, quantity: str) -> list[float]:
        """One value per seed; ``quantity`` is ``measure/key``, shares as in the file."""
        measure, key = quantity.split("/")
        seeds = sorted(seed for name, seed in self.found if name == label)
        return [float(self.found[label, seed][measure][key]) for seed in seeds]


@dataclass(frozen=True)
class Gain:
    """A paired difference over seeds."""

    mean: float
    low: float
    high: float

    @property
    def positive(self) -> bool:
        """The 95 % interval lies above zero."""
        return self.low > 0

    @property
    def negative(self) -> bool:
        """The 95 % interval lies below zero."""
        return self.high < 0

    def __str__(self) -> str:
        return f"{100 * self.mean:+.1f} [{100 * self.low:+.1f}, {100 * self.high:+.1f}]"


def gain(after: Sequence[float], before: Sequence[float]) -> Gain:
    """Mean of ``after - before`` over seeds, with Student's 95 % interval."""
    differences = [a - b for a, b in zip(after, before, strict=True)]
    mean = statistics.fmean(differences)
    spread = statistics.stdev(differences) / math.sqrt(len(differences))
    half = float(stats.t.ppf(0.975, len(differences) - 1)) * spread
    return Gain(mean, mean - half, mean + half)


def percent(values: Sequence[float]) -> str:
    """``mean +- sd`` in percent."""
    return f"{100 * statistics.fmean(values):.1f} ± {100 * statistics.stdev(values):.1f}"


def plain(values: Sequence[float]) -> str:
    """``mean +- sd``, three significant digits."""
    return f"{statistics.fmean(values):.3g} ± {statistics.stdev(values):.2g}"


def table(
    results: Results,
    columns: Mapping[str, tuple[str, Callable[[Sequence[float]], str]]],
    labels: Sequence[str] | None = None,
    name: str = "run",
) -> str:
    """A Markdown table: one row per label, one column per quantity."""
    rows = [f"| {name} | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for label in labels or results.labels:
        cells = [shown(results.values(label, quantity)) for quantity, shown in columns.values()]
        rows.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(rows)
