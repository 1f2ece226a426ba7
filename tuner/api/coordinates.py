"""The axes of parallel coordinates: weights, pair and method on the left, objectives on the right.

A weight's axis is logarithmic; ``off`` lies half a decade below the smallest weight tried.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tuner.analysis.results import Results
from tuner.pictures.front import axis_label, in_unit
from tuner.records import SYMBOLS, TrialRecord


@dataclass(frozen=True)
class Coordinate:
    """One axis.

    Attributes:
        label: its name, with its unit.
        values: where each complete trial crosses it.
        ticks: places that carry a text; none where the axis is a plain number.
        texts: what stands there.
    """

    label: str
    values: tuple[float, ...]
    ticks: tuple[float, ...] = ()
    texts: tuple[str, ...] = ()


def coordinates(results: Results) -> list[Coordinate]:
    """The axes of all complete trials that vary, and every objective.

    Raises:
        ValueError: if no trial is complete.
    """
    records = results.complete
    if not records:
        raise ValueError(f"study {results.study.name!r} has no complete trial to draw yet")
    named = {
        "teacher": [record.teacher or "none" for record in records],
        "student": [record.student for record in records],
        "method": [str(record.config["method"]["name"]) for record in records],
    }
    weights = {symbol: [record.weights[symbol] for record in records] for symbol in SYMBOLS}
    return [
        *(_chosen(label, texts) for label, texts in named.items() if len(set(texts)) > 1),
        *(_weight(symbol, values) for symbol, values in weights.items() if any(values)),
        *(_objective(records, metric) for metric in results.metrics),
    ]


def _chosen(label: str, texts: Sequence[str]) -> Coordinate:
    names = sorted(set(texts))
    places = tuple(map(float, range(len(names))))
    return Coordinate(label, tuple(float(names.index(text)) for text in texts), places, (*names,))


def _weight(symbol: str, values: Sequence[float]) -> Coordinate:
    exponents = [math.log10(value) for value in values if value]
    off = min(exponents) - 0.5
    decades = [float(d) for d in range(math.ceil(min(exponents)), math.floor(max(exponents)) + 1)]
    ticks = [off, *decades] if 0.0 in values else decades
    texts = ["off" if tick == off else f"{10**tick:g}" for tick in ticks]
    placed = tuple(math.log10(value) if value else off for value in values)
    return Coordinate(symbol, placed, tuple(ticks), tuple(texts))


def _objective(records: Sequence[TrialRecord], metric: str) -> Coordinate:
    return Coordinate(
        axis_label(metric), tuple(in_unit(metric, record.values[metric]) for record in records)
    )
