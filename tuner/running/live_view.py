"""A study under way as it fits a terminal: counts, running trials, and the front so far."""

from collections.abc import Sequence
from functools import lru_cache

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tuner.analysis.results import Results
from tuner.pictures.front import FrontPicture
from tuner.pictures.text import text_picture
from tuner.quantities import short, written
from tuner.records import TrialRecord
from tuner.running.tally import Tally
from tuner.running.time_left import clock, trial_seconds_left
from tuner.search.remaining import missing

LEAST_PICTURE = 10
"""Lines below which a picture shows nothing."""

WIDE_ENOUGH = 70
"""Columns from which the picture stands beside the table of the front."""


def live_view(tally: Tally, width: int, height: int, *, now: float) -> Group:
    """At most ``height - 1`` lines of ``width`` columns, so that a terminal never scrolls.

    Args:
        tally: the study.
        width: columns of the terminal.
        height: its lines.
        now: seconds since 1970.
    """
    most = max(1, (height - 4) // 3)
    running = running_table(tally.running, width, most, now=now)
    counts = tally.counts()
    named = f"{tally.study.name}: {counts}"
    head = Text(named if len(named) <= width else counts, style="bold")
    head.truncate(width, overflow="ellipsis")
    left = height - 1 - 1 - (running.row_count + 1)
    front = front_view(tally.results, width, left)
    return Group(head, running, *front)


def running_table(records: Sequence[TrialRecord], width: int, most: int, *, now: float) -> Table:
    """A line per running trial; beyond ``most`` lines, the last says how many more there are."""
    table = _table("trial", "teacher > student", "epoch", "clean %", "robust %", "left")
    shown = records if len(records) <= most else records[: most - 1]
    for record in shown:
        left = trial_seconds_left(record, now)
        table.add_row(
            str(record.number),
            _shortened(record.pair, width - 42),
            f"{len(record.reports)}/{record.config['epochs']}",
            _latest(record, "val/clean_accuracy"),
            _latest(record, "val/robust_accuracy"),
            "-" if left is None else clock(left),
        )
    if len(shown) < len(records):
        table.add_row("…", f"{len(records) - len(shown)} more", *[""] * 4)
    return table


def _shortened(name: str, width: int) -> Text:
    text = Text(name)
    text.truncate(max(width, 8), overflow="ellipsis")
    return text


def _latest(record: TrialRecord, metric: str) -> str:
    return written(metric, record.metrics[metric]) if metric in record.metrics else "-"


def front_view(results: Results, width: int, height: int) -> list[RenderableType]:
    """The front as a picture beside its table, in ``height`` lines; nothing where neither fits."""
    if not results.front or height < 3:
        return []
    size = f"{len(results.front)} of {len(results.complete)} configs"
    far = " so far" if missing(results.study, results.records) else ""
    title = Text(f"front{far}: {size}, hypervolume {results.hypervolume:.4g}", style="bold")
    title.truncate(width, overflow="ellipsis")
    if height - 1 < LEAST_PICTURE or width < WIDE_ENOUGH:
        return [title, small_front_table(results, width, height - 2)]
    half = width // 2 - 2
    side = Table.grid(padding=(0, 2, 0, 0))
    side.add_row(
        _picture(results, half, min(height - 1, 18)),
        small_front_table(results, width - half - 2, height - 2),
    )
    return [title, side]


@lru_cache(maxsize=1)
def _picture(results: Results, width: int, height: int) -> Text:
    """Drawn again only when a trial has ended or the terminal has another size."""
    return Text("\n").join(text_picture(FrontPicture(results), width, height))


def small_front_table(results: Results, width: int, most: int) -> Table:
    """The front in at most ``most`` lines under the headings; the knee in bold."""
    table = _table("trial", *map(short, results.metrics), "student")
    members = results.front
    shown = members if len(members) <= most else members[: max(most - 1, 0)]
    for record in shown:
        style = "bold" if record.number == results.knee.number else ""
        values = (written(metric, record.values[metric]) for metric in results.metrics)
        student = _shortened(record.student, width - 7 - 9 * len(results.metrics))
        table.add_row(str(record.number), *values, student, style=style)
    if len(shown) < len(members) and most:
        table.add_row("…", *[""] * len(results.metrics), f"{len(members) - len(shown)} more")
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for heading in headings:
        left = heading in {"teacher > student", "student"}
        table.add_column(
            heading, justify="left" if left else "right", no_wrap=True, overflow="ellipsis"
        )
    return table
