"""The verbs that measure what is trained; heavy imports live inside them."""

from pathlib import Path
from typing import Annotated

import typer

from tuner.terminal import Norm, Split, console


def evaluate(
    target: Annotated[
        str, typer.Argument(help="A checkpoint, its folder, or a trial's YAML file once trained.")
    ],
    attack: Annotated[
        list[str] | None,
        typer.Option(help="pgd20, autoattack, pgd:loss=margin,steps=50,step=2/255 …; repeatable."),
    ] = None,
    epsilon: Annotated[
        str | None, typer.Option(help="Radii: 2/255,4/255,8/255; default: the config's.")
    ] = None,
    norm: Annotated[Norm | None, typer.Option(help="Default: the config's.")] = None,
    split: Annotated[Split, typer.Option(help="Which images.")] = Split.test,
    images: Annotated[int | None, typer.Option(min=1, help="First N only; default: all.")] = None,
    gates: Annotated[bool, typer.Option(help="Look for masked gradients.")] = True,
    seed: Annotated[int, typer.Option(min=0, help="Of every random start.")] = 0,
    output: Annotated[
        Path | None, typer.Option(help="Folder; default: evaluation, beside the checkpoint.")
    ] = None,
    architecture: Annotated[
        str | None, typer.Option(help="Of weights that were not trained here.")
    ] = None,
    data: Annotated[str | None, typer.Option(help="Data set of such weights.")] = None,
    normalize: Annotated[
        bool | None, typer.Option(help="Whether such weights expect standardised images.")
    ] = None,
) -> None:
    """Measure a network against attacks; say how sure that is, and whether to believe it."""
    from tuner.evaluation.target import Foreign
    from tuner.study_names import path_at
    from tuner.verbs.evaluate import evaluate_and_show

    evaluate_and_show(
        path_at(target),
        Foreign(architecture, data, normalize),
        attack or [],
        epsilon,
        norm=norm.value if norm else None,
        split=split.value,
        images=images,
        gates=gates,
        seed=seed,
        output=output,
        console=console,
    )


def diagnose(
    target: Annotated[
        str, typer.Argument(help="A checkpoint.pt, a folder that holds one, or a study.")
    ],
    teacher: Annotated[
        str, typer.Option(help="auto (the config's own), none, or a checkpoint.")
    ] = "auto",
    teachers: Annotated[
        Path | None, typer.Option(help="Folder of prepared teachers; default: around the target.")
    ] = None,
    epsilon: Annotated[
        str | None,
        typer.Option(help="Radii, 0,0.1,0.2 or 2/255,8/255; default: 0 to 1.5 x the trained one."),
    ] = None,
    split: Annotated[Split, typer.Option(help="Which images.")] = Split.validation,
    images: Annotated[int, typer.Option(min=2, help="The first so many of them.")] = 500,
    certify: Annotated[
        bool, typer.Option("--certify", help="L2 certificates by randomised smoothing, too.")
    ] = False,
    sigma: Annotated[float, typer.Option(help="Noise of --certify, images in [0, 1].")] = 0.25,
    output: Annotated[
        Path | None, typer.Option(help="Folder of the result; default: diagnosis/ in the target.")
    ] = None,
) -> None:
    """Say why a student is robust: feature gaps, input gradients, linearity; of a study: r."""
    from tuner.diagnosis.doing import as_request, diagnose_target
    from tuner.study_names import path_or_study

    asked = as_request(
        (teacher, teachers), epsilon, split.value, images, sigma=sigma if certify else None
    )
    diagnose_target(path_or_study(target), asked, output, console)
