"""Every searched parameter beside every objective: parallel coordinates as a page of their own."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape

from tuner.analysis.results import Results
from tuner.pictures.front import axis_label, in_unit
from tuner.pictures.front_html import tip, trials_table
from tuner.quantities import count
from tuner.records import TrialRecord
from tuner.reporting.page import page
from tuner.tracking.run_links import RunLinks

HEIGHT, TOP, BOTTOM, LEFT, RIGHT, STEP = 430, 64, 24, 144, 90, 112
OFF = "off"
OFF_SHARE = 0.12
"""Where numbers begin on an axis on which some trials are off; those lie at its foot."""

WIDE = 10.0
"""A range of positive numbers whose ends differ by this factor is drawn in decades."""

NOTE = (
    "A line per complete searched trial, from its parameters on the left to its objectives on the "
    "right; the front in red. Baselines have no parameters and are left out. Point at a line to "
    "see its trial, click it for its row below."
)
STYLE = """<style>
svg .mark.line path{fill:none;stroke:var(--dot);stroke-width:1.4;opacity:.6}
svg .mark.line.front path{stroke:var(--front);stroke-width:2.2;opacity:1}
svg .mark.line path.reach{stroke:transparent;stroke-width:9;opacity:0}
svg .mark.line:hover path,svg .mark.line:focus path,svg .mark.line.chosen path{
stroke:var(--ink);stroke-width:3.4;opacity:1}
svg .mark.line:hover path.reach,svg .mark.line:focus path.reach{opacity:0}
svg .axis{stroke:var(--faint)}svg text.name{fill:var(--ink)}figure.across{max-width:none}
svg text.tick{paint-order:stroke;stroke:var(--paper);stroke-width:4px}
</style>"""

Value = str | float


@dataclass(frozen=True)
class Dimension:
    """One vertical axis.

    Attributes:
        name: its heading, in words.
        values: of each trial, in their order; ``OFF`` where a trial does not have it.
    """

    name: str
    values: Sequence[Value]

    @cached_property
    def numbers(self) -> list[float]:
        """The values that are numbers."""
        return [value for value in self.values if not isinstance(value, str)]

    @cached_property
    def is_numeric(self) -> bool:
        """Whether numbers, and ``OFF``, are all there is."""
        return bool(self.numbers) and all(v == OFF for v in self.values if isinstance(v, str))

    @cached_property
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest number."""
        return min(self.numbers), max(self.numbers)

    @cached_property
    def is_logarithmic(self) -> bool:
        """Whether equal distances are equal factors."""
        low, high = self.ends
        return low > 0 and high / low >= WIDE

    @cached_property
    def foot(self) -> float:
        """Where numbers begin."""
        return OFF_SHARE if OFF in self.values else 0.0

    @cached_property
    def names(self) -> list[str]:
        """The values of an axis of words, from its foot; one that is off comes first."""
        return sorted(set(map(str, self.values)), key=lambda name: (name != OFF, name))

    def share(self, value: Value) -> float:
        """Where a value lies, 0 at the foot and 1 at the top."""
        if not self.is_numeric:
            return (self.names.index(str(value)) + 0.5) / len(self.names)
        if isinstance(value, str):
            return 0.0
        scale = math.log10 if self.is_logarithmic else float
        low, high = map(scale, self.ends)
        inside = (scale(value) - low) / (high - low) if high > low else 0.5
        return self.foot + (1 - self.foot) * inside

    def ticks(self) -> dict[str, float]:
        """What stands beside the axis, and where."""
        if not self.is_numeric:
            return {name: self.share(name) for name in self.names}
        inner = self._decades() if self.is_logarithmic else [sum(self.ends) / 2]
        found = {count(value): self.share(value) for value in [*self.ends, *inner]}
        return {OFF: 0.0, **found} if OFF in self.values else found

    def _decades(self) -> list[float]:
        low, high = self.ends
        exponents = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
        # a number that would stand on an end's own is left out
        clear = [10.0**e for e in exponents if self.share(10.0**e) - self.share(low) > 0.09]
        return [power for power in clear if self.share(high) - self.share(power) > 0.09]


def parallel_html(results: Results, links: RunLinks | None = None) -> str:
    """A self-contained page; loads nothing.

    Args:
        results: the study.
        links: where the trials' runs are, if MLflow shows the page.
    """
    if not results.searched:
        drawing = '<p class="note">No searched trial is complete yet.</p>'
    else:
        note, script = (links.note, links.script) if links else ("", "")
        drawing = f"{_figure(results)}{note}{trials_table(results)}{script}"
    title = f"<h1>{escape(results.study.name)}: parameters and objectives</h1>"
    return page(f"Parameters of {results.study.name}", f"{STYLE}{title}{drawing}")


def dimensions(results: Results) -> list[Dimension]:
    """The parameters that have taken two values, then the objectives in the unit of their axes."""
    records = results.searched
    names = sorted({name for record in records for name in record.params})
    # the switch of a term that has a weight says nothing more
    names = [name for name in names if f"{name}/weight" not in names]
    columns = [
        Dimension(_words(name), [_value(record, name) for record in records]) for name in names
    ]
    varied = [column for column in columns if len(set(map(str, column.values))) > 1]
    objectives = [
        Dimension(axis_label(metric), [in_unit(metric, r.values[metric]) for r in records])
        for metric in results.metrics
    ]
    return [*varied, *objectives]


def _words(path: str) -> str:
    return path.removeprefix("alignments/").replace("/", " ").replace("_", " ")


def _value(record: TrialRecord, name: str) -> Value:
    value = record.params.get(name, OFF)
    return str(value) if isinstance(value, str | bool) else float(value)


def _figure(results: Results) -> str:
    columns = dimensions(results)
    width = LEFT + RIGHT + STEP * (len(columns) - 1)
    rows = list(enumerate(results.searched))
    rows.sort(key=lambda row: -results.ranks[row[1].number])  # the front is drawn on top
    lines = (
        _line(results, record, [column.values[i] for column in columns], columns)
        for i, record in rows
    )
    inner = "".join([*lines, *(_axis(column, i) for i, column in enumerate(columns))])
    box = f'viewBox="0 0 {width} {HEIGHT}" style="min-width:{0.6 * width:.0f}px"'
    return (
        f'<figure class="across"><div class="wide"><svg {box} role="group" '
        f'aria-label="parameters and objectives of every searched trial">{inner}</svg></div>'
        f'<figcaption class="note">{NOTE}</figcaption></figure>'
    )


def _place(column: Dimension, index: int, value: Value) -> tuple[float, float]:
    return LEFT + STEP * index, HEIGHT - BOTTOM - column.share(value) * (HEIGHT - TOP - BOTTOM)


def _line(
    results: Results, record: TrialRecord, values: Sequence[Value], columns: Sequence[Dimension]
) -> str:
    pairs = zip(columns, values, strict=True)
    places = [_place(column, i, value) for i, (column, value) in enumerate(pairs)]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    kind = "front" if results.ranks[record.number] == 0 else "other"
    text = escape(tip(results, record))
    return (
        f'<g class="mark line {kind}" tabindex="0" role="button" data-trial="{record.number}" '
        f'data-tip="{text}" aria-label="{text}">'
        f'<path d="{path}"/><path class="reach" d="{path}"/></g>'
    )


def _axis(column: Dimension, index: int) -> str:
    x, _ = _place(column, index, column.values[0])
    # every second heading stands higher, so that long ones do not meet
    y = TOP - 14 - 24 * (index % 2)
    name = f'<text class="name" x="{x}" y="{y}" text-anchor="middle">{escape(column.name)}</text>'
    ticks = (_tick(text, x, share) for text, share in column.ticks().items())
    return f'<path class="axis" d="M{x} {TOP}V{HEIGHT - BOTTOM}"/>{name}{"".join(ticks)}'


def _tick(text: str, x: float, share: float) -> str:
    y = HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
    return f'<text class="tick" x="{x - 6}" y="{y + 4:.1f}" text-anchor="end">{escape(text)}</text>'
