"""``tuner teachers``: the public teachers that we know, and which of their files are here."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuner.terminal import console

if TYPE_CHECKING:
    from rich.table import Table

    from trainables.teacher_registry import PublicTeacher


def list_teachers(
    folder: Annotated[
        Path | None,
        typer.Option(help="Where their files are; default: teachers in the data's root."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """List well-known robust teachers: accuracies in %, what is present, where to get the rest."""
    from trainables.teacher_registry import public_teachers, teachers_folder

    place, known = folder or teachers_folder(), public_teachers()
    if as_json:
        console.print_json(data=[row(name, entry, place) for name, entry in known.items()])
        return
    console.print(table(known, place))
    for entry in known.values():
        if not (place / entry.file).is_file():
            console.print(f"{entry.file}: get it from {entry.source}", soft_wrap=True)
    console.print(f"files belong in: {place}", soft_wrap=True)


def row(name: str, entry: "PublicTeacher", folder: Path) -> dict[str, object]:
    """An entry with its name, the path of its file, and whether it is present."""
    path = folder / entry.file
    return {
        "name": name,
        **entry.model_dump(mode="json"),
        "path": str(path),
        "present": path.is_file(),
    }


def table(known: "dict[str, PublicTeacher]", folder: Path) -> "Table":
    """A line per teacher."""
    from rich.table import Table

    shown = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    shown.add_column("name", no_wrap=True)
    for column in ("architecture", "data", "threat"):
        shown.add_column(column, overflow="fold")
    for column in ("clean", "AA", "size"):
        shown.add_column(column, justify="right", no_wrap=True)
    shown.add_column("here", no_wrap=True)
    for name, entry in known.items():
        size, present = entry.millions_of_parameters, (folder / entry.file).is_file()
        shown.add_row(
            name,
            entry.architecture,
            entry.data,
            entry.threat,
            f"{100 * entry.clean_accuracy:.2f}",
            f"{100 * entry.autoattack_accuracy:.2f}",
            f"{size:.3g}M" if size else "–",
            "yes" if present else "no",
        )
    return shown
