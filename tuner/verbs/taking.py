"""The verbs that take a result away; heavy imports live inside them."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tuner.secrets import without_own_secrets
from tuner.terminal import INTERRUPTED, PickOn, StudyName, console


class ConfigFormat(StrEnum):
    """How a config is written."""

    yaml = "yaml"
    json = "json"


def export(
    study: StudyName,
    *,
    pick: Annotated[
        str | None,
        typer.Option(help='knee (default), max-clean, max-robust, "robust>=0.4" or trial:N.'),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="All members of the front, a file each.")
    ] = False,
    form: Annotated[
        ConfigFormat | None, typer.Option("--format", help="Default: as --output ends, else yaml.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="A file or folder; default: exported/ in the study's directory."),
    ] = None,
    on: PickOn = None,
) -> None:
    """Write the config of one point of the front, or of all, ready for tuner train."""
    from tuner.exporting.doing import export_members, export_pick
    from tuner.study_names import opened

    if every and pick is not None:
        raise ValueError(f"--all writes every member of the front, got --pick {pick} too; use one")
    with opened(study) as place:
        if every:
            export_members(
                place,
                output,
                console,
                form=form.value if form else None,
                on=on.value if on else None,
            )
            return
        export_pick(
            place,
            "knee" if pick is None else pick,
            output,
            console,
            form=form.value if form else None,
            on=on.value if on else None,
        )


ConfigFile = Annotated[Path, typer.Argument(help="A trial's file, as tuner export writes it.")]
Output = Annotated[
    Path | None, typer.Option(help="Folder of the result; default: runs/train/<file>.")
]
Teachers = Annotated[
    Path, typer.Option(help="Folder of prepared teachers; a missing one is trained into it.")
]
Seeds = Annotated[int | None, typer.Option(min=1, help="Train so many, from the config's seed on.")]
Seed = Annotated[list[int] | None, typer.Option(min=0, help="Train with this seed; repeatable.")]
Epochs = Annotated[
    int | None, typer.Option(min=1, help="Passes over the data, instead of the config's.")
]
Gpus = Annotated[int | None, typer.Option(min=0, help="0: the CPU; several share every batch.")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Processes that share every batch; default: --gpus.")
]
Address = Annotated[
    str | None, typer.Option(help="A Ray cluster, for several workers; default: our own.")
]
TrackingUri = Annotated[
    str | None,
    typer.Option(
        help="MLflow; default: runs/mlflow.db, as of studies there.", callback=without_own_secrets
    ),
]
Tracked = Annotated[bool, typer.Option(help="Log the training in MLflow.")]


def train(
    config: ConfigFile,
    *,
    output: Output = None,
    teachers: Teachers = Path("runs/teachers"),
    seeds: Seeds = None,
    seed: Seed = None,
    epochs: Epochs = None,
    gpus: Gpus = None,
    workers: Workers = None,
    address: Address = None,
    tracking_uri: TrackingUri = None,
    tracking: Tracked = True,
) -> None:
    """Train students as a config says; goes on from the last epoch if it was stopped."""
    from tuner.verbs.train import TrainingRequest, chosen_seeds, train_and_show

    request = TrainingRequest(
        config,
        output,
        teachers,
        chosen_seeds(config, seeds, seed or []),
        epochs=epochs,
        gpus=gpus,
        workers=workers,
        address=address,
        tracking_uri=tracking_uri,
        tracking=tracking,
    )
    try:
        train_and_show(request, console)
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
