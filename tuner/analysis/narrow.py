"""Tables in terminals that are too narrow for all of their columns."""

from collections.abc import Collection, Sequence

from rich import box
from rich.cells import cell_len
from rich.table import Table

LEAST_TEXT = 8
"""Columns that a column of text needs, as it wraps."""


def plain_table(title: str, caption: str | None = None) -> Table:
    """A table with lines between its parts only, narrow enough for 80 columns."""
    return Table(
        title=title,
        title_justify="left",
        caption=caption,
        caption_justify="left",
        box=box.HORIZONTALS,
        padding=0,
        pad_edge=False,
    )


def left_out(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int,
    *,
    text: Collection[str],
    optional: Sequence[str],
) -> list[str]:
    """Headings of the columns that a table goes without, so that nothing else is cut.

    Args:
        headings: all of them.
        rows: cells under the headings.
        width: columns of the terminal.
        text: headings whose cells may wrap.
        optional: headings that may go, the first one first.
    """
    needed = {
        name: LEAST_TEXT if name in text else max(map(_width, [name, *cells]))
        for name, *cells in zip(headings, *rows, strict=True)
    }
    gone: list[str] = []
    for name in filter(needed.__contains__, optional):
        if sum(needed.values()) + len(needed) + 1 <= width:
            break
        gone.append(name)
        del needed[name]
    return gone


def _width(cell: str) -> int:
    return max(map(cell_len, cell.splitlines()), default=0)
