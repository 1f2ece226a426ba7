"""What the verbs that run, train, measure and serve do."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from tuner.directory import StudyDirectory, write_yaml
from tuner.ledger import Ledger
from tuner.mlflow_server import serve
from tuner.preview import preview as preview
from tuner.records import Cause
from tuner.session import Session, StudyInterruptedError, publication
from tuner.showing import results_of, show_results
from tuner.study import StudyConfig
from tuner.study_file import find_study, load_study, load_trial
from tuner.tracking import default_uri, pages, sync
from tuner.trial_files import TrialFiles

INTERRUPTED = 130
"""Exit code of a study that was stopped by Ctrl-C: 128 and the number of SIGINT."""


def load_for_run(name: str, *, trials: int | None, tracking_uri: str | None) -> StudyConfig:
    """The study with what the command line changes in it."""
    study = load_study(find_study(name))
    changes: dict[str, object] = {} if trials is None else {"trials": trials}
    if tracking_uri is not None:
        changes["tracking"] = study.tracking.model_copy(update={"uri": tracking_uri})
    return study.model_copy(update=changes)


def run_and_show(
    study: StudyConfig, directory: StudyDirectory, console: Console, address: str | None
) -> None:
    """Run a study, then show its front, its cost and where to look next."""
    session = Session(study, directory, console, address)
    try:
        results = session.run()
    except StudyInterruptedError as stop:
        console.print(f"{stop}; go on with: tuner resume {directory.path}")
        raise SystemExit(INTERRUPTED) from None
    except KeyboardInterrupt:
        console.print(f"stopped at once; go on with: tuner resume {directory.path}")
        raise SystemExit(INTERRUPTED) from None
    show_results(results, directory, console)
    console.print(
        f"took {timedelta(seconds=round(session.usage.seconds))}, peak memory of all processes "
        f"{session.usage.peak_bytes / 1e9:.2f} GB (sum of resident sizes)"
    )
    if not session.synced:
        console.print(f"MLflow is behind; bring it up to date with: tuner sync {directory.path}")
    console.print(f"look at every run in MLflow: tuner ui {directory.path}")


def cancel_trials(directory: StudyDirectory, numbers: Sequence[int], console: Console) -> None:
    """End unfinished trials as cancelled; they count among the study's trials.

    Raises:
        ValueError: if a trial is not unfinished, or the study is being run.
    """
    study = directory.study()
    with directory.lock():
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
    console.print(f"go on with the rest: tuner resume {directory.path}")


def train_config(config: Path, output: Path, teachers: Path, console: Console) -> None:
    """Train one student in this process."""
    from trainables.hardware import in_words
    from trainables.single import train

    trial = load_trial(config)
    console.print(f"hardware: {in_words(trial.hardware)}")
    write_yaml(output / "config.yaml", trial.model_dump(mode="json"))
    for epoch, metrics in train(trial, output / "checkpoint.pt", teachers):
        shown = ", ".join(f"{k.partition('/')[2]} {v:.4g}" for k, v in metrics.items())
        console.print(f"epoch {epoch}/{trial.epochs}: {shown}", soft_wrap=True)
    console.print(f"student: {output / 'checkpoint.pt'}", soft_wrap=True)


def open_ui(
    directory: StudyDirectory, port: int | None, tracking_uri: str | None, console: Console
) -> None:
    """Serve MLflow until Ctrl-C."""
    study = directory.study()
    uri = tracking_uri or study.tracking.uri or default_uri(directory.path)
    with serve(uri, port) as base:
        found = pages(study, directory.path, uri, base=base)
        console.print("Ctrl-C stops the server.")
        console.print(f"study: {found.study}", soft_wrap=True)
        console.print(f"front: {found.front}", soft_wrap=True)
        wait_for_interrupt()


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
    agreed = sync(
        study,
        directory.path,
        uri,
        results.records,
        publication=publication(results, directory),
        results=results,
        status="FINISHED" if not results.running else None,
    )
    console.print(f"MLflow at {uri} holds {agreed} of {len(results.records)} trials")
