"""The command line: every verb parses and calls; heavy imports live inside the verbs."""

from pathlib import Path
from typing import Annotated

import typer

from tuner.last_words import discreet
from tuner.running.cluster_address import without_login
from tuner.secrets import without_own_secrets
from tuner.terminal import SentenceGroup, StudyName, console
from tuner.verbs.cluster import doctor, logs, stop, submit
from tuner.verbs.looking import compare, front, importance, list_studies, report, status
from tuner.verbs.measuring import diagnose, evaluate
from tuner.verbs.package import package
from tuner.verbs.register import register
from tuner.verbs.taking import export, train
from tuner.verbs.teachers import list_teachers
from tuner.verbs.verify import verify

app = typer.Typer(
    cls=SentenceGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Find the best small, adversarially robust students.",
)


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option(help="Show tracebacks of errors.")] = False,
) -> None:
    """Options of every verb."""


StudyArgument = Annotated[str, typer.Argument(help="A study file, or a shipped study.")]
Address = Annotated[
    str | None,
    typer.Option(
        help="A Ray cluster: auto or HOST:6379 on a machine of it; from outside ray://HOST:10001 "
        "or http://HOST:8265, which hand the study over and show its log; default: our own.",
        callback=without_login,
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print only where to look in the end.")]
Json = Annotated[bool, typer.Option("--json", help="A JSON object per line, for programs.")]


@app.command()
def run(
    study: StudyArgument = "digits",
    directory: Annotated[
        str | None,
        typer.Option(help="Where the study lives, a path or a URL (s3://…); default: runs/<name>."),
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Trials in all, instead of the file's number.")
    ] = None,
    tracking_uri: Annotated[
        str | None,
        typer.Option(
            help="MLflow; default: mlflow.db beside the directory.", callback=without_own_secrets
        ),
    ] = None,
    address: Address = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the resolved study and its first trials.")
    ] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Run a study, or go on with it from wherever it stopped."""
    from tuner.commands import chosen_output, load_for_run, preview, run_and_show
    from tuner.study_names import directory_at

    config = load_for_run(study, trials=trials, tracking_uri=tracking_uri)
    place = directory_at(directory or Path("runs") / config.name)
    if dry_run:
        preview(config, place, console)
    else:
        output = chosen_output(quiet=quiet, as_json=as_json)
        run_and_show(config, place, console, address, output=output)


@app.command("simulate")
def simulate_(
    study: StudyArgument = "digits",
    gpus: Annotated[int, typer.Option(min=1, help="Simulated GPUs.")] = 8,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Trials in all, instead of the file's number.")
    ] = None,
    curves: Annotated[
        Path | None, typer.Option(help="A study's directory with curves; default: digits, shipped.")
    ] = None,
    seconds_per_epoch: Annotated[
        float | None, typer.Option(min=0, help="Of the mean epoch; default: as recorded.")
    ] = None,
    failures: Annotated[
        float | None, typer.Option(min=0, help="Mean hours between failures of a node of 8 GPUs.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Simulated worlds.")] = 3,
) -> None:
    """Tell what a study would find and cost on so many GPUs, from recorded learning curves."""
    from tuner.commands import load_for_run
    from tuner.simulation.doing import Request, simulate_and_show

    config = load_for_run(study, trials=trials, tracking_uri=None)
    request = Request(gpus, seeds, seconds_per_epoch, failures)
    simulate_and_show(config, request, curves, console)


@app.command()
def resume(
    study: StudyName, address: Address = None, quiet: Quiet = False, as_json: Json = False
) -> None:
    """Go on with a study until it has its trials."""
    from tuner.commands import chosen_output, run_and_show
    from tuner.study_names import find_directory

    place = find_directory(study)
    output = chosen_output(quiet=quiet, as_json=as_json)
    run_and_show(place.study(), place, console, address, output=output)


@app.command()
def cancel(
    study: StudyName,
    trials: Annotated[list[int], typer.Argument(help="Numbers of unfinished trials.")],
) -> None:
    """End unfinished trials of a study that is not running; nothing is learnt from them."""
    from tuner.commands import cancel_trials
    from tuner.study_names import find_directory

    cancel_trials(find_directory(study), trials, console)


app.command()(status)
app.command("ls")(list_studies)
app.command()(front)
app.command()(compare)
app.command()(importance)
app.command()(report)
app.command()(export)
app.command()(train)
app.command()(package)
app.command()(evaluate)
app.command()(diagnose)
app.command()(verify)
app.command("teachers")(list_teachers)
app.command()(doctor)
app.command()(submit)
app.command()(logs)
app.command()(stop)
app.command()(register)


@app.command()
def ui(
    study: StudyName = "digits",
    port: Annotated[int | None, typer.Option(help="Port to listen on; default: 5000.")] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen at; any but 127.0.0.1 needs a login.")
    ] = "127.0.0.1",
    tracking_uri: Annotated[
        str | None,
        typer.Option(help="MLflow; default: the study's own.", callback=without_own_secrets),
    ] = None,
) -> None:
    """Open a study in MLflow: start its server, for this machine alone, and print the pages."""
    from tuner.commands import open_ui
    from tuner.study_names import find_directory

    open_ui(find_directory(study), port, tracking_uri, console, host=host)


@app.command()
def sync(
    study: StudyName,
    tracking_uri: Annotated[
        str | None,
        typer.Option(help="MLflow; default: the study's own.", callback=without_own_secrets),
    ] = None,
) -> None:
    """Bring MLflow to what the study's directory holds."""
    from tuner.commands import sync_tracking
    from tuner.study_names import opened

    with opened(study) as place:
        sync_tracking(place, tracking_uri, console)


@app.command()
def schema(
    trial: Annotated[bool, typer.Option("--trial", help="Of a trial instead of a study.")] = False,
) -> None:
    """Print the JSON Schema of study files, for editors."""
    import json

    from trainables.config import TrialConfig
    from tuner.study import StudyConfig

    model = TrialConfig if trial else StudyConfig
    console.print(json.dumps(model.model_json_schema(), indent=2), soft_wrap=True, markup=False)


def main() -> None:
    """The console script."""
    with discreet():
        app()
