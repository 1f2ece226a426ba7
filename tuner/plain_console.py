"""A console on which text is text: what a name or an error holds is shown, and does nothing."""

import re
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions
from rich.segment import Segment

_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters but tab and line end, and what turns the direction of text around."""

SHOWN_INSTEAD = "\N{REPLACEMENT CHARACTER}"


def plain(text: str) -> str:
    """The text with a mark for every character that steers a terminal; tabs and line ends stay."""
    return _STEERING.sub(SHOWN_INSTEAD, text)


class PlainConsole(Console):
    """Rich's console; colours and movements of its own pass, those in the text do not.

    Nor does Rich's markup: ``[red]`` is five characters.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(markup=False, highlight=False, **settings)

    def render(self, renderable: Any, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What is to be written, piece by piece."""
        for piece in super().render(renderable, options):
            yield piece if piece.control else piece._replace(text=plain(piece.text))
