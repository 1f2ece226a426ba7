"""``tuner verify``: the front on the test split, under AutoAttack, over several seeds."""

from typing import Annotated

import typer

from tuner.terminal import INTERRUPTED, StudyName, console


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
    from trainables.measuring.attack_text import parse_attack
    from trainables.radii import parse_radii
    from tuner.study_names import opened
    from tuner.verification.doing import verify_and_show
    from tuner.verification.plan import Asked

    asked = Asked(
        seeds, parse_attack(attack), parse_radii(epsilon), neighbours, images, gates, seed
    )
    with opened(study) as place:
        try:
            verify_and_show(place, asked, console, address)
        except KeyboardInterrupt:
            told = f"stopped; the same command goes on: tuner verify {study}, with the same options"
            console.print(told, soft_wrap=True, markup=False)
            raise SystemExit(INTERRUPTED) from None
