"""``tuner verify``: the front on the test split, under AutoAttack, over several seeds."""

from typing import TYPE_CHECKING, Annotated

import typer

from tuner.terminal import StudyName, console

if TYPE_CHECKING:
    from rich.console import Console

    from tuner.storage.directory import StudyDirectory
    from tuner.verification.measured import Verification

INTERRUPTED = 130
"""Exit code of what was stopped by Ctrl-C: 128 and the number of SIGINT."""


def verify(  # noqa: PLR0917 - Typer passes options by position
    study: StudyName,
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
        str | None, typer.Option(help="A Ray cluster (auto, HOST:6379); default: our own.")
    ] = None,
) -> None:
    """Measure the front on the test split, over seeds and radii; goes on where it was stopped."""
    from trainables.attack_text import parse_attack
    from tuner.reporting.writing import write_as_it_stands
    from tuner.showing import results_of
    from tuner.study_names import opened
    from tuner.verification.front import show_verification
    from tuner.verification.plan import Asked
    from tuner.verification.session import verify as verify_study

    asked = Asked(seeds, parse_attack(attack), _radii(epsilon), neighbours, images, gates, seed)
    with opened(study) as place:
        try:
            found = verify_study(place, asked, console, address)
        except KeyboardInterrupt:
            go_on = f"the same command goes on: tuner verify {study}"
            console.print(f"stopped; {go_on}", soft_wrap=True)
            raise SystemExit(INTERRUPTED) from None
        show_verification(found, place, console)
        report = write_as_it_stands(place, results_of(place))
        _log(found, place, console)
        console.print(f"report: {report}", soft_wrap=True, markup=False)


def _radii(text: str | None) -> tuple[float, ...] | None:
    from trainables.radii import parse_radius

    return None if text is None else tuple(parse_radius(part) for part in text.split(","))


def _log(found: "Verification", directory: "StudyDirectory", console: "Console") -> None:
    """To MLflow, where the study has its runs there; a server that is away costs nothing."""
    from tuner.tracking.verification import log_verification

    try:
        count = log_verification(found, directory)
    except ConnectionError as error:
        console.print(f"not in MLflow: {error}", soft_wrap=True, markup=False)
        return
    if count:
        console.print(f"in MLflow: test/ metrics of {count} trials, verification/ of the study")
