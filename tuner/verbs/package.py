"""``tuner package``: parse, make, check, write, show."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuner.terminal import console

if TYPE_CHECKING:
    from rich.table import Table

    from tuner.packaging.making import Package


def package(
    checkpoint: Annotated[
        str,
        typer.Argument(help="A trained student: a checkpoint.pt, student.safetensors, folder."),
    ],
    *,
    output: Annotated[
        Path | None, typer.Option(help="Folder; default: package, beside the checkpoint.")
    ] = None,
    form: Annotated[
        str | None, typer.Option("--format", help="onnx, pt2 or both as onnx,pt2; default: both.")
    ] = None,
) -> None:
    """Make ONNX and torch.export programs of a student, check them, and write its model card."""
    from tuner.packaging.doing import package_student

    formats = chosen_formats(form)
    with console.status("") as status:
        made, card = package_student(
            checkpoint, output, formats, lambda what: status.update(f"{what} …")
        )
    console.print(checks_table(made))
    console.print(f"files: {card.parent}", soft_wrap=True, markup=False)
    console.print(f"model card: {card}", soft_wrap=True, markup=False)


def chosen_formats(text: str | None) -> list[str]:
    """The formats named, each once; without a name all that can be had here.

    Raises:
        ValueError: for an unknown format, or for ONNX without what it needs.
    """
    from trainables.programs.packaging import missing_for_onnx, need_for_onnx
    from trainables.spelling import unknown
    from tuner.packaging.making import FORMATS

    named = [part.strip() for part in text.split(",")] if text is not None else list(FORMATS)
    for name in named:
        if name not in FORMATS:
            raise ValueError(unknown("format", name, FORMATS))
    missing = missing_for_onnx()
    if "onnx" in named and missing:
        if text is not None:
            raise ValueError(need_for_onnx(missing))
        console.print(f"note: without student.onnx: {need_for_onnx(missing)}", markup=False)
        named.remove("onnx")
    return sorted(set(named))


def checks_table(made: "Package") -> "Table":
    """What every program comes to, and how fast and large it is."""
    from rich.table import Table

    from tuner.packaging.facts import target_attack
    from tuner.packaging.making import BATCHES, EAGER, RUNTIMES

    found = made.network
    shown = Table(
        title=f"{made.target.architecture} on the first {found.images} test images",
        caption=f"robust: {target_attack(made)}; max diff: of a logit from PyTorch's; differing: "
        f"other predictions; ms: median time for {' or '.join(map(str, BATCHES))} images",
        caption_justify="left",
        box=None,
        header_style="bold",
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    shown.add_column("program", no_wrap=True)
    heads = ("clean %", "robust %", "max diff", "differing", "kB")
    for head in (*heads, *(f"ms, {n}" for n in BATCHES)):
        shown.add_column(head, justify="right", no_wrap=True)
    runtimes = {f"student.{form}": name for form, name in RUNTIMES.items()}
    for name, one in {EAGER: found, **made.agreements}.items():
        times = made.timings[runtimes.get(name, name)]
        size = made.sizes.get(name)
        shown.add_row(
            name,
            f"{100 * one.clean_accuracy:.1f}",
            f"{100 * one.robust_accuracy:.1f}",
            f"{one.max_difference:.1e}",
            str(len(one.differing)),
            f"{size / 1000:.1f}" if size else "",
            *(f"{times[n].median_ms:.3g}" for n in BATCHES),
        )
    return shown
