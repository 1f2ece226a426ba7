"""``tuner register``: the best students of a study in MLflow's model registry."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from tuner.terminal import PickOn, StudyName, console

if TYPE_CHECKING:
    from tuner.tracking.registry import Registered


def register(
    study: StudyName,
    pick: Annotated[
        list[str] | None,
        typer.Option(help="As of tuner export; repeatable; default: knee, max-robust, max-clean."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The registered model; default: the study's name.")
    ] = None,
    on: PickOn = None,
) -> None:
    """Register models of the front in MLflow, with the aliases knee, best-robust and best-clean."""
    from tuner.showing import results_of
    from tuner.study_names import find_directory
    from tuner.tracking.registry import register as register_picks
    from tuner.tracking.registry import usual_picks
    from tuner.tracking.tracker import default_uri

    place = find_directory(study)
    results = results_of(place)
    model = name or results.study.name
    picks = pick or usual_picks(results)
    done = register_picks(results, place, model, picks, on=on.value if on else None)
    for entry in done:
        what = "registered as" if entry.is_new else "was there as"
        aliases = f", {', '.join(entry.aliases)}" if entry.aliases else ""
        console.print(f"trial {entry.trial} {what} {model} version {entry.version}{aliases}")
        console.print(f"  {entry.picked_on}", markup=False, soft_wrap=True)
    uri = results.study.tracking.uri or default_uri(place.path)
    console.print("load one with, for example:")
    console.print(f'mlflow.set_tracking_uri("{uri}")', soft_wrap=True)
    console.print(example(model, done), markup=False, soft_wrap=True)


def example(model: str, done: "Sequence[Registered]") -> str:
    """The line of Python that loads the first of what was registered: by default the knee."""
    first = done[0]
    shown = f"@{first.aliases[0]}" if first.aliases else f"/{first.version}"
    return f'mlflow.pyfunc.load_model("models:/{model}{shown}")'
