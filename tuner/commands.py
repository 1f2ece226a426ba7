"""What the verbs that run, train, measure and serve do."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from rich.console import Console

from tuner.analysis.results import Results
from tuner.exporting.front import write_front
from tuner.pictures.importance import known_importances
from tuner.preview import preview as preview
from tuner.records import Cause
from tuner.reporting.writing import write_as_it_stands
from tuner.running.cluster_address import job_server_of
from tuner.running.run_output import Output, create_session, end_as_json, interruption_as_json
from tuner.running.session import Session, StudyInterruptedError
from tuner.search.remaining import missing
from tuner.showing import results_of, show_places, show_results
from tuner.storage.directory import StudyDirectory
from tuner.storage.driving import driving
from tuner.storage.ledger import Ledger
from tuner.storage.trial_files import TrialFiles
from tuner.study import StudyConfig
from tuner.study_file import find_study, load_study
from tuner.terminal import INTERRUPTED
from tuner.tracking.access import THIS_MACHINE, is_this_machine
from tuner.tracking.client import is_server
from tuner.tracking.server import default_address, serve
from tuner.tracking.tracker import Pages, Publication, default_uri, pages, sync
from tuner.tracking.verification import log_verification
from tuner.verbs.jobs import hand_over_and_follow
from tuner.verification.measured import load_verification

EXPOSED = (
    "warning: MLflow listens at {host}, for other machines too. It asks for a login, but nothing "
    "is encrypted: keep it inside a network that you trust, or put TLS in front of it."
)


def load_for_run(name: str, *, trials: int | None, tracking_uri: str | None) -> StudyConfig:
    """The study with what the command line changes in it."""
    study = load_study(find_study(name))
    changes: dict[str, object] = {} if trials is None else {"trials": trials}
    if tracking_uri is not None:
        changes["tracking"] = study.tracking.model_copy(update={"uri": tracking_uri})
    return study.model_copy(update=changes)


def chosen_output(*, quiet: bool, as_json: bool) -> Output:
    """What the command line asks for.

    Raises:
        ValueError: if it asks for two things.
    """
    if quiet and as_json:
        raise ValueError("--quiet and --json exclude each other; give one of them")
    return Output.quiet if quiet else Output.json if as_json else Output.full


def run_and_show(
    study: StudyConfig,
    directory: StudyDirectory,
    console: Console,
    address: str | None,
    *,
    output: Output = Output.full,
) -> None:
    """Run a study here, or hand it over where the address reaches a cluster from outside."""
    server = job_server_of(address)
    if server is None:
        session = create_session(study, directory, console, address, output=output)
        _run_here(session, directory, console, output)
        return
    if output != Output.full:
        raise ValueError(
            f"--{output} is not for a study that is handed over to {server}; leave it out, or "
            "use tuner submit, which ends at once"
        )
    hand_over_and_follow(study, directory, server, console)


def _run_here(
    session: Session, directory: StudyDirectory, console: Console, output: Output
) -> None:
    """Run a study, then show its front, its cost and where to look next."""
    try:
        results = session.run()
    except StudyInterruptedError as stop:
        _say_interrupted(str(stop), directory, console, output)
        raise SystemExit(INTERRUPTED) from None
    except KeyboardInterrupt:
        _say_interrupted("stopped at once", directory, console, output)
        raise SystemExit(INTERRUPTED) from None
    if output == Output.json:
        console.out(end_as_json(results, session), highlight=False)
        return
    if output == Output.quiet:
        show_places(directory, console)
    else:
        show_results(results, directory, console)
        console.print(
            f"took {timedelta(seconds=round(session.usage.seconds))}, peak memory of all processes "
            f"{session.usage.peak_bytes / 1e9:.2f} GB (sum of resident sizes)"
        )
    if not session.synced:
        console.print(
            f"MLflow is behind; bring it up to date with: tuner sync {directory}",
            soft_wrap=True,
            markup=False,
        )
    _show_links(session, directory, console)


def _show_links(session: Session, directory: StudyDirectory, console: Console) -> None:
    """Where MLflow shows the study: on its server, or on the one that ``tuner ui`` starts."""
    if session.links is None:  # the study does without MLflow
        return
    command = f"tuner ui {directory}"
    uri = session.study.tracking.uri or default_uri(directory.path)
    address = uri if is_server(uri) else default_address()
    try:
        lines = session.links(address).lines if address and session.synced else []
    except ConnectionError:  # the study is done; what it wrote is on the disk
        lines = []
    if not lines:
        console.print(f"look at every run in MLflow: {command}", soft_wrap=True)
    elif not is_server(uri):
        console.print(f"look at every run in MLflow: {command}; then these open:", soft_wrap=True)
    for line in lines:
        console.print(line, soft_wrap=True)


def _say_interrupted(
    message: str, directory: StudyDirectory, console: Console, output: Output
) -> None:
    if output == Output.json:
        console.out(interruption_as_json(message, directory), highlight=False)
    else:
        console.print(
            f"{message}; go on with: tuner resume {directory}", soft_wrap=True, markup=False
        )


def cancel_trials(directory: StudyDirectory, numbers: Sequence[int], console: Console) -> None:
    """End unfinished trials as cancelled; they count among the study's trials.

    Raises:
        ValueError: if a trial is not unfinished, or the study is being run.
    """
    study = directory.study()
    with driving(directory, study, console.print):
        ledger = Ledger(study, directory.path)
        unfinished = ledger.unfinished()
        for number in numbers:
            if number not in unfinished:
                left = ", ".join(map(str, unfinished)) or "none"
                raise ValueError(f"trial {number} is not unfinished; unfinished trials: {left}")
        files = TrialFiles(directory)
        for number in numbers:
            files.update(ledger.fail(number, f"{Cause.cancelled}: by tuner cancel"))
    console.print(f"cancelled {len(numbers)} of {len(unfinished)} unfinished trials")
    console.print(f"go on with the rest: tuner resume {directory}", soft_wrap=True, markup=False)


def open_ui(
    directory: StudyDirectory,
    port: int | None,
    tracking_uri: str | None,
    console: Console,
    *,
    host: str = THIS_MACHINE,
) -> None:
    """Serve MLflow until Ctrl-C; of a server that runs already, print the pages."""
    results = results_of(directory)
    study = results.study
    uri = tracking_uri or study.tracking.uri or default_uri(directory.path)
    if directory.copy and uri == default_uri(directory.path):
        raise ValueError(
            f"the study at {directory} has no runs in MLflow; name a server with --tracking-uri"
        )
    with serve(uri, port, host=host) as base:
        found = pages(study, directory.path, uri, base=base)
        if is_server(uri):
            _show_pages(found, directory, results, console)
            return
        console.print("Ctrl-C stops the server.")
        if not is_this_machine(host):
            console.print(EXPOSED.format(host=host), soft_wrap=True, style="yellow")
        _show_pages(found, directory, results, console)
        wait_for_interrupt()


def _show_pages(
    found: Pages, directory: StudyDirectory, results: Results, console: Console
) -> None:
    held, there = found.num_trials, len(results.records)
    if held < there and not directory.driver():
        behind = (
            f"MLflow holds {held} of {there} trials; bring the rest with: tuner sync {directory}"
        )
        console.print(behind, soft_wrap=True, markup=False)
    for line in found.lines:
        console.print(line, soft_wrap=True)


def wait_for_interrupt() -> None:
    """Sleep until Ctrl-C or SIGTERM."""
    import signal
    import threading

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        stop.wait()
    except KeyboardInterrupt:
        return


def sync_tracking(directory: StudyDirectory, tracking_uri: str | None, console: Console) -> None:
    """Rebuild MLflow's view of a study from its ledger."""
    study, results = directory.study(), results_of(directory)
    uri = tracking_uri or study.tracking.uri or default_uri(directory.path)
    with suppress(PermissionError):  # of a study that one may only read, what is there is sent
        write_front(results, directory.front, known_importances(results))
        write_as_it_stands(directory, results)
    agreed = sync(
        study,
        directory.path,
        uri,
        results.records,
        publication=Publication(directory.front, results),
        results=results,
        status=_told_status(directory, results),
    )
    if verified := load_verification(directory.path):
        log_verification(verified, directory, uri)
    console.print(f"MLflow at {uri} holds {agreed} of {len(results.records)} trials")


def _told_status(directory: StudyDirectory, results: Results) -> str | None:
    """What MLflow is told of a study; nothing while somebody runs it."""
    if directory.driver():
        return None
    return "KILLED" if missing(results.study, results.records) else "FINISHED"
