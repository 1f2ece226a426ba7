"""Where the Python API prints: plain lines, as a live table is for terminals."""

from tuner.plain_console import PlainConsole

WIDTH = 100
"""Columns; a notebook has no terminal to ask."""


def console_for(*, quiet: bool) -> PlainConsole:
    """A console for a notebook or a script; a quiet one prints nothing."""
    return PlainConsole(force_terminal=False, force_jupyter=False, width=WIDTH, quiet=quiet)
