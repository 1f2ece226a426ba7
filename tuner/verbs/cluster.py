"""The verbs around clusters: look before, hand over, read along, stop.

Heavy imports live inside them.
"""

from pathlib import Path
from typing import Annotated

import typer

from tuner.running.cluster_address import without_login
from tuner.secrets import without_own_secrets
from tuner.terminal import StudyName, console

Address = Annotated[
    str | None, typer.Option(help="A Ray cluster (auto, HOST:6379); default: none.")
]


def doctor(
    *,
    address: Address = None,
    study: Annotated[
        str | None, typer.Option(help="A study's directory, a study file, or a shipped study.")
    ] = None,
    directory: Annotated[
        str | None,
        typer.Option(help="Where the study is to live, a path or a URL; default: runs/<name>."),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            help="Optuna storage URL; default: the study's.", callback=without_own_secrets
        ),
    ] = None,
    tracking_uri: Annotated[
        str | None,
        typer.Option(help="MLflow; default: the study's, or none.", callback=without_own_secrets),
    ] = None,
    ray: Annotated[bool, typer.Option("--ray", help="Look through a Ray of our own, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Say whether a study can run here, or on a cluster; exit code 1 if something is to be done."""
    from tuner.doctor.examination import Patient, examine, named
    from tuner.doctor.show import as_rows, show

    config, place = named(study, directory)
    findings = examine(Patient(config, place, address, ray, storage, tracking_uri))
    if as_json:
        console.print_json(data=as_rows(findings))
    else:
        show(findings, console)
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


def submit(
    study: Annotated[str, typer.Argument(help="A study file, or a shipped study.")],
    address: Annotated[
        str,
        typer.Option(
            help="The head's job server, http://HOST:8265.",
            envvar="RAY_API_SERVER_ADDRESS",
            callback=without_login,
        ),
    ],
    *,
    directory: Annotated[
        str | None,
        typer.Option(help="A path that all nodes see, or a URL (s3://…); default: runs/<name>."),
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
    python: Annotated[
        str, typer.Option(help="The interpreter on the head that has the tuner.")
    ] = "python",
) -> None:
    """Hand a study over to a Ray cluster, so that this machine may leave."""
    from tuner.commands import load_for_run
    from tuner.study_names import directory_at
    from tuner.verbs.jobs import submit_and_show

    config = load_for_run(study, trials=trials, tracking_uri=tracking_uri)
    place = directory_at(directory or Path("runs") / config.name)
    submit_and_show(config, place, address, python=python, console=console)


def logs(
    study: StudyName,
    trial: Annotated[int | None, typer.Argument(help="A trial's number.")] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Until the job has ended.")
    ] = False,
    lines: Annotated[int, typer.Option(min=0, help="Of the job's log; 0: all.")] = 50,
) -> None:
    """Show what the driver of a submitted study has written, or the epochs of a trial."""
    from tuner.verbs.jobs import meant, show_logs

    show_logs(meant(study), trial, lines=lines, follow=follow, console=console)


def stop(
    study: StudyName,
    patience: Annotated[
        float, typer.Option(min=1, help="Seconds for a local driver to end before SIGTERM.")
    ] = 120.0,
) -> None:
    """Stop a study, wherever it runs, and wait until it has ended; nothing reported is lost."""
    from tuner.verbs.jobs import meant, stop_and_show

    stop_and_show(meant(study), patience, console)
