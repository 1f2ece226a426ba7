"""What the command line is made of: where it writes, how it shows errors, its choices."""

import os
from enum import StrEnum
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from trainables.redaction import without_secrets
from tuner.plain_console import PlainConsole

INTERRUPTED = 130
"""Exit code of what was stopped by Ctrl-C: 128 and the number of SIGINT."""

console = PlainConsole()
if not console.is_terminal and "COLUMNS" not in os.environ:
    console.width = 100  # a file or a pipe has no width of its own
errors = PlainConsole(stderr=True)


class SentenceGroup(TyperGroup):
    """Shows a user's error as one red sentence, exit code 2; ``--debug`` shows the traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb."""
        try:
            return super().invoke(ctx)
        except (ValueError, OSError) as error:  # ConnectionError is an OSError
            if ctx.params.get("debug"):
                raise
            sentence = " ".join(without_secrets(_words(error)).split())
            errors.print(f"error: {sentence}", style="red", markup=False, soft_wrap=True)
            raise typer.Exit(2) from error


def _words(error: ValueError | OSError) -> str:
    """What the error says; what the operating system says, without its number."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"cannot use {error.filename}: {error.strerror}"
    return str(error)


StudyName = Annotated[
    str,
    typer.Argument(help="A study: its directory, its name in runs, or how the name begins."),
]
"""What every verb takes that looks at a study; ``tuner.study_names.find_directory`` reads it."""


class Format(StrEnum):
    """How a result is printed."""

    table = "table"
    json = "json"
    csv = "csv"


class Split(StrEnum):
    """Which images to measure on."""

    validation = "validation"
    test = "test"


class Numbers(StrEnum):
    """Which numbers to pick on."""

    validation = "validation"
    verified = "verified"


PickOn = Annotated[
    Numbers | None, typer.Option(help="Pick on these numbers; default: verified, if any.")
]


class Norm(StrEnum):
    """How the size of a perturbation is measured."""

    linf = "linf"
    l2 = "l2"
