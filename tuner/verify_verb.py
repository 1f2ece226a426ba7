"""``tuner verify``: the front on the test split, under AutoAttack, over several seeds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuner.terminal import console

if TYPE_CHECKING:
    from rich.console import Console

    from tuner.directory import StudyDirectory
    from tuner.verification import Verification

INTERRUPTED = 130
"""Exit code of what was stopped by Ctrl-C: 128 and the number of SIGINT."""


def verify(  # noqa: PLR0917 - Typer passes options by position
    study: Annotated[Path, typer.Argument(help="A study's directory, runs/<name>.")],
    seeds: Annotated[int, typer.Option(min=1, help="Per config; missing ones are trained.")] = 3,
    attack: Annotated[
        str, typer.Option(help="What robust accuracy is: autoattack, autoattack:queries=500 …")
    ] = "autoattack",
    epsilon: Annotated[
        str | None,
        typer.Option(help="Radii beside the study's own; default: half of it, 1.5 times it."),
    ] = None,
    neighbours: Annotated[
        int, typer.Option(min=0, help="Trials measured, too, that the front beats only by chance.")
    ] = 5,
    images: Annotated[
        int | None, typer.Option(min=1, help="First N test images only; default: all.")
    ] = None,
    gates: Annotated[bool, typer.Option(help="Look for masked gradients.")] = True,
    seed: Annotated[int, typer.Option(min=0, help="Of every random start.")] = 0,
    address: Annotated[
        str | None, typer.Option(help="A Ray cluster (auto, host:6379, ray://…); default: our own.")
    ] = None,
) -> None:
    """Measure the front on the test split, over seeds and radii; goes on where it was stopped."""
    from trainables.attack_text import parse_attack
    from tuner.directory import StudyDirectory
    from tuner.verification_plan import Asked
    from tuner.verification_session import verify as verify_study

    place = StudyDirectory(study)
    asked = Asked(seeds, parse_attack(attack), _radii(epsilon), neighbours, images, gates, seed)
    try:
        found = verify_study(place, asked, console, address)
    except KeyboardInterrupt:
        console.print(f"stopped; the same command goes on: tuner verify {study}", soft_wrap=True)
        raise SystemExit(INTERRUPTED) from None
    show_verification(found, place, console)
    _log(found, place, console)
    console.print(f"plot: {study / 'verification' / 'verification.png'}", soft_wrap=True)


def _radii(text: str | None) -> tuple[float, ...] | None:
    from trainables.radii import parse_radius

    return None if text is None else tuple(parse_radius(part) for part in text.split(","))


def show_verification(
    found: "Verification", directory: "StudyDirectory", console: "Console"
) -> None:
    """The verified front as a table, what follows from it, and where it is written."""
    from tuner.verification_table import sentences, verification_table

    if found.measured:
        console.print(verification_table(found))
    for sentence in sentences(found):
        console.print(sentence, markup=False, soft_wrap=True)
    folder = directory.path / "verification"
    console.print(f"numbers: {folder / 'verification.json'}, verification.csv", soft_wrap=True)


def show_verified_front(directory: "StudyDirectory", console: "Console") -> None:
    """What ``tuner front --split test`` shows.

    Raises:
        ValueError: if the study was not verified.
    """
    from tuner.showing import results_of
    from tuner.verification import load_verification
    from tuner.verification_table import stale_sentence

    results = results_of(directory)
    found = load_verification(directory.path)
    if found is None:
        raise ValueError(
            f"the test split of study {directory.path} has not been opened; measure its front "
            f"there with: tuner verify {directory.path}"
        )
    show_verification(found, directory, console)
    if stale := stale_sentence(found, results):
        console.print(f"note: {stale} {directory.path}", markup=False, soft_wrap=True)
    console.print(f"plot: {directory.path / 'verification' / 'verification.png'}", soft_wrap=True)


def _log(found: "Verification", directory: "StudyDirectory", console: "Console") -> None:
    """To MLflow, where the study has its runs there; a server that is away costs nothing."""
    from tuner.verification_mlflow import log_verification

    try:
        count = log_verification(found, directory)
    except ConnectionError as error:
        console.print(f"not in MLflow: {error}", soft_wrap=True, markup=False)
        return
    if count:
        console.print(f"in MLflow: test/ metrics of {count} trials, verification/ of the study")
