"""The command line: every verb parses and calls; heavy imports live inside the verbs."""

from pathlib import Path
from typing import Annotated

import typer

from tuner.cluster_verbs import doctor, logs, stop, submit
from tuner.measuring_verbs import diagnose, evaluate
from tuner.teachers_verb import list_teachers
from tuner.terminal import SentenceGroup, console

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
StudyDir = Annotated[Path, typer.Argument(help="A study's directory, runs/<name>.")]
Address = Annotated[
    str | None, typer.Option(help="A Ray cluster (auto, host:6379, ray://…); default: our own.")
]


@app.command()
def run(
    study: StudyArgument = "digits",
    directory: Annotated[
        Path | None, typer.Option(help="Where the study lives; default: runs/<name>.")
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Trials in all, instead of the file's number.")
    ] = None,
    tracking_uri: Annotated[
        str | None, typer.Option(help="MLflow; default: mlflow.db beside the directory.")
    ] = None,
    address: Address = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the resolved study and its first trials.")
    ] = False,
) -> None:
    """Run a study, or go on with it from wherever it stopped."""
    from tuner.commands import load_for_run, preview, run_and_show
    from tuner.directory import StudyDirectory

    config = load_for_run(study, trials=trials, tracking_uri=tracking_uri)
    place = StudyDirectory(directory or Path("runs") / config.name)
    if dry_run:
        preview(config, place, console)
    else:
        run_and_show(config, place, console, address)


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
    from tuner.simulating import Request, simulate_and_show

    config = load_for_run(study, trials=trials, tracking_uri=None)
    request = Request(gpus, seeds, seconds_per_epoch, failures)
    simulate_and_show(config, request, curves, console)


@app.command()
def resume(directory: StudyDir, address: Address = None) -> None:
    """Go on with the study in a directory until it has its trials."""
    from tuner.commands import run_and_show
    from tuner.directory import StudyDirectory

    place = StudyDirectory(directory)
    run_and_show(place.study(), place, console, address)


@app.command()
def cancel(
    directory: StudyDir,
    trials: Annotated[list[int], typer.Argument(help="Numbers of unfinished trials.")],
) -> None:
    """End unfinished trials of a study that is not running; nothing is learnt from them."""
    from tuner.commands import cancel_trials
    from tuner.directory import StudyDirectory

    cancel_trials(StudyDirectory(directory), trials, console)


@app.command()
def ls(
    root: Annotated[Path, typer.Argument(help="Folder of studies.")] = Path("runs"),
) -> None:
    """List the studies in a folder."""
    from tuner.showing import list_studies

    list_studies(root, console)


@app.command()
def front(directory: StudyDir) -> None:
    """Show the Pareto front of a study, with its baselines."""
    from tuner.directory import StudyDirectory
    from tuner.showing import show_front

    show_front(StudyDirectory(directory), console)


@app.command()
def export(
    directory: StudyDir,
    pick: Annotated[
        str, typer.Option(help='knee, max-clean, max-robust, "robust>=0.4" or trial:N.')
    ] = "knee",
    output: Annotated[
        Path | None, typer.Option(help="The YAML file; default: in the study's front folder.")
    ] = None,
) -> None:
    """Write the config of one point of the front, ready for tuner train."""
    from tuner.directory import StudyDirectory
    from tuner.showing import export_pick

    export_pick(StudyDirectory(directory), pick, output, console)


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="A trial's YAML file, as tuner export writes it.")],
    output: Annotated[
        Path | None, typer.Option(help="Folder of the result; default: runs/train/<file>.")
    ] = None,
    teachers: Annotated[
        Path, typer.Option(help="Folder of prepared teachers; a missing one is trained into it.")
    ] = Path("runs/teachers"),
) -> None:
    """Train one student as a config says; goes on from its last epoch if it was stopped."""
    from tuner.commands import train_config

    train_config(config, output or Path("runs/train") / config.stem, teachers, console)


app.command()(evaluate)
app.command()(diagnose)
app.command("teachers")(list_teachers)
app.command()(doctor)
app.command()(submit)
app.command()(logs)
app.command()(stop)


@app.command()
def ui(
    directory: StudyDir = Path("runs/digits"),
    port: Annotated[int | None, typer.Option(help="Port on 127.0.0.1; default: 5000.")] = None,
    tracking_uri: Annotated[
        str | None, typer.Option(help="MLflow; default: the study's own.")
    ] = None,
) -> None:
    """Open a study in MLflow: start its server on 127.0.0.1 and print the pages."""
    from tuner.commands import open_ui
    from tuner.directory import StudyDirectory

    open_ui(StudyDirectory(directory), port, tracking_uri, console)


@app.command()
def sync(
    directory: StudyDir,
    tracking_uri: Annotated[
        str | None, typer.Option(help="MLflow; default: the study's own.")
    ] = None,
) -> None:
    """Bring MLflow to what the study's directory holds."""
    from tuner.commands import sync_tracking
    from tuner.directory import StudyDirectory

    sync_tracking(StudyDirectory(directory), tracking_uri, console)


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
    app()
