"""``tuner register``: the best students of a study in MLflow's model registry."""

from typing import Annotated

import typer

from tuner.terminal import StudyName, console


def register(
    study: StudyName,
    pick: Annotated[
        list[str] | None,
        typer.Option(help="As of tuner export; repeatable; default: knee, max-robust, max-clean."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The registered model; default: the study's name.")
    ] = None,
) -> None:
    """Register models of the front in MLflow, with the aliases knee, best-robust and best-clean."""
    from tuner.mlflow_registry import register as register_picks
    from tuner.mlflow_registry import usual_picks
    from tuner.showing import results_of
    from tuner.study_names import find_directory
    from tuner.tracking import default_uri

    place = find_directory(study)
    results = results_of(place)
    model = name or results.study.name
    done = register_picks(results, place, model, pick or usual_picks(results))
    for entry in done:
        what = "registered as" if entry.is_new else "was there as"
        aliases = f", {', '.join(entry.aliases)}" if entry.aliases else ""
        console.print(f"trial {entry.trial} {what} {model} version {entry.version}{aliases}")
    last = done[-1]
    shown = f"@{last.aliases[0]}" if last.aliases else f"/{last.version}"
    uri = results.study.tracking.uri or default_uri(place.path)
    console.print("load one with, for example:")
    console.print(f'mlflow.set_tracking_uri("{uri}")', soft_wrap=True)
    console.print(f'mlflow.pyfunc.load_model("models:/{model}{shown}")', soft_wrap=True)
