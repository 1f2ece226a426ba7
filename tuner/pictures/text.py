"""The front drawn in characters: a line in braille, a sign per trial, numbers on both axes."""

from collections.abc import Iterator
from itertools import pairwise

from rich.text import Text

from tuner.pictures.front import Axis, FrontPicture, Mark

SIGNS = {"searched": "·", "baseline": "○", "front": "●"}
KNEE = "◆"
LEGEND = (
    f"{SIGNS['front']} front  {KNEE} knee  {SIGNS['baseline']} baseline  {SIGNS['searched']} other"
)
STYLES = {"searched": "dim", "baseline": "cyan", "front": "red"}
BRAILLE = 0x2800
DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""Bits of a braille sign: two columns of four dots."""


def text_picture(picture: FrontPicture, width: int, height: int) -> list[Text]:
    """The picture as lines, with nothing at their ends that a narrower terminal would wrap.

    Args:
        picture: what to draw.
        width: columns in all.
        height: lines in all: the heading with the vertical axis' name, the drawing, the ticks,
            and the name of the horizontal axis with the legend below it.

    Returns:
        ``height`` lines of at most ``width`` columns.
    """
    rows = height - 4
    ticks = _ticks(picture.y, rows)
    margin = max(len(name) for name in ticks.values())
    columns = width - margin - 1
    cells = _drawn(picture, columns, rows)
    lines = [Text(picture.y.label[:width], style="dim")]
    for row in range(rows):
        name = ticks.get(row, "")
        line = Text(f"{name:>{margin}}{'┤' if name else '│'}", style="dim")
        for sign, style in cells[row]:
            line.append(sign, style=style)
        lines.append(line)
    lines.append(Text(" " * margin + _scale(picture.x, columns), style="dim"))
    lines.append(Text(f"{picture.x.label[:width]:>{width}}", style="dim"))
    return [*lines, Text(LEGEND[:width], style="dim")]


def _ticks(axis: Axis, rows: int) -> dict[int, str]:
    """Names of the ticks by the row that they stand in, from the top; never two in one."""
    return {_row(axis, tick, rows): _number(tick) for tick in axis.ticks}


def _scale(axis: Axis, columns: int) -> str:
    """The line of ticks: numbers centred under where they are, those that would touch left out."""
    line = [" "] * (columns + 1)
    free = 0
    for tick in axis.ticks:
        name = _number(tick)
        start = 1 + _column(axis, tick, columns) - len(name) // 2
        if free <= start and start + len(name) <= len(line):
            line[start : start + len(name)] = name
            free = start + len(name) + 1
    return "".join(line)


def _number(value: float) -> str:
    return f"{value:.4g}"


def _row(axis: Axis, value: float, rows: int) -> int:
    return min(rows - 1, int((1 - axis.share(value)) * rows))


def _column(axis: Axis, value: float, columns: int) -> int:
    return min(columns - 1, int(axis.share(value) * columns))


Cell = tuple[str, str]


def _drawn(picture: FrontPicture, columns: int, rows: int) -> list[list[Cell]]:
    """Signs and their styles by row and column: the border of the front, then the trials on it."""
    cells = [[(" ", "")] * columns for _ in range(rows)]
    for (row, column), bits in _border(picture, columns, rows).items():
        cells[row][column] = (chr(BRAILLE + bits), "red")
    for mark in picture.inside:
        place = _row(picture.y, mark.y, rows), _column(picture.x, mark.x, columns)
        cells[place[0]][place[1]] = _sign(mark)
    return cells


def _sign(mark: Mark) -> Cell:
    return (KNEE, "bold red") if mark.is_knee else (SIGNS[mark.role], STYLES[mark.role])


def _border(picture: FrontPicture, columns: int, rows: int) -> dict[tuple[int, int], int]:
    """Braille bits of the staircase by row and column."""
    bits: dict[tuple[int, int], int] = {}
    for right, down in _dots(picture, 2 * columns, 4 * rows):
        cell = down // 4, right // 2
        bits[cell] = bits.get(cell, 0) | DOTS[right % 2][down % 4]
    return bits


def _dots(picture: FrontPicture, across: int, down: int) -> Iterator[tuple[int, int]]:
    """Every dot of the staircase; its lines run along the axes."""
    corners = [(_column(picture.x, x, across), _row(picture.y, y, down)) for x, y in picture.stairs]
    for (x, y), (next_x, next_y) in pairwise(corners):
        for right in range(min(x, next_x), max(x, next_x) + 1):
            for below in range(min(y, next_y), max(y, next_y) + 1):
                yield right, below
