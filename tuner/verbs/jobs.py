"""What the verbs submit, logs and stop do."""

from rich.console import Console

from tuner.jobs.driver import driver_of, stop_driver
from tuner.jobs.jobs import ENDED, client_of, status_of, stop, submit, wait_for_start
from tuner.jobs.log import job_log, show_trial
from tuner.jobs.notes import Job, job_of
from tuner.search.remaining import missing
from tuner.storage.directory import StudyDirectory
from tuner.storage.driving import check_services
from tuner.storage.ledger import read_records
from tuner.study import StudyConfig
from tuner.study_names import directory_at, find_directory
from tuner.terminal import INTERRUPTED

EXIT_CODES = {"SUCCEEDED": 0, "STOPPED": INTERRUPTED, "FAILED": 2}
"""Of a command that followed a job to its end."""


def submit_and_show(
    study: StudyConfig, directory: StudyDirectory, address: str, *, python: str, console: Console
) -> None:
    """Hand a study over, and say how to go on."""
    check_services(study, directory)
    job = submit(study, directory, address, python=python)
    show_start(job, directory, console)


def show_start(job: Job, directory: StudyDirectory, console: Console) -> None:
    """Say that a job has begun, and what can be done about it.

    Raises:
        ValueError: if it has failed by then; with its last words.
    """
    status = wait_for_start(job)
    console.print(f"job {job.id} at {job.address}: {status.lower()}", soft_wrap=True)
    if status not in ENDED:
        console.print("this machine may leave; the study runs on the cluster")
        console.print(f"stop it with: tuner stop {directory}", soft_wrap=True, markup=False)
    follow = "" if status in ENDED else " --follow"
    console.print(f"read along with: tuner logs {directory}{follow}", soft_wrap=True, markup=False)


def hand_over_and_follow(
    study: StudyConfig, directory: StudyDirectory, address: str, console: Console
) -> None:
    """Run a study as a job of a cluster and show what its driver writes, until it has ended.

    Raises:
        SystemExit: 130 if it was stopped or this process was interrupted, which the study outlives;
            2 if it failed.
        ConnectionError: if the job server is out of sight for a minute; the study may run on.
    """
    check_services(study, directory)
    job = submit(study, directory, address, python="python")
    try:
        show_start(job, directory, console)
        for piece in job_log(job, lines=0, follow=True):
            console.print(piece, end="", markup=False, soft_wrap=True)
        status = status_of(client_of(job.address), job)
    except KeyboardInterrupt:
        told = f"the study runs on as job {job.id}; stop it with: tuner stop {directory}"
        console.print(told, soft_wrap=True)
        console.print(f"read along with: tuner logs {directory} --follow", soft_wrap=True)
        raise SystemExit(INTERRUPTED) from None
    if code := EXIT_CODES[status]:
        raise SystemExit(code)


def meant(study: str) -> StudyDirectory:
    """The study at a path or a URL, or of a name; of one handed over, the note of it is enough.

    Raises:
        ValueError: if there is none; it names the nearest.
        ConnectionError: if the store of a URL does not answer.
    """
    directory = directory_at(study)
    return directory if directory.path.is_dir() or job_of(directory) else find_directory(study)


def show_logs(
    directory: StudyDirectory, trial: int | None, *, lines: int, follow: bool, console: Console
) -> None:
    """What the driver, or a trial, has written.

    Raises:
        ValueError: if there is no such trial, or the study was not handed over.
    """
    if trial is not None:
        show_trial(directory, trial, console)
        return
    job = job_of(directory)
    if job is None:
        raise ValueError(
            f"study {directory} was not handed over with tuner submit: its driver wrote to "
            f"the terminal it ran in; a trial's log is shown by: tuner logs {directory} 0"
        )
    for piece in job_log(job, lines=lines, follow=follow):
        console.print(piece, end="", markup=False, soft_wrap=True)


def stop_and_show(directory: StudyDirectory, patience: float, console: Console) -> None:
    """Stop a study wherever it runs, wait until it has ended, and say how to go on.

    Raises:
        ValueError: if nobody runs it, or only somebody on another machine can stop it.
    """
    job = running_job(directory)
    if job is not None:
        console.print(f"job {job.id} ended: {stop(job).lower()}", soft_wrap=True)
    else:
        console.print(f"the driver ended on {stop_driver(directory, patience=patience)}")
    if directory.config.is_file():
        study = directory.study()
        left = missing(study, read_records(study, directory.path))
        console.print(f"{left} of {study.trials} trials to go; all that was reported is kept")
    console.print(f"go on with: {continuation(directory, job)}", soft_wrap=True)


def running_job(directory: StudyDirectory) -> Job | None:
    """The job that runs a study; None if none does, or if a local driver can be asked instead."""
    job = job_of(directory)
    if job is None:
        return None
    try:
        return job if status_of(client_of(job.address), job) not in ENDED else None
    except (ConnectionError, ValueError):
        if driver_of(directory) is None:
            raise
        return None


def continuation(directory: StudyDirectory, job: Job | None) -> str:
    """The command that goes on with a stopped study in the way in which it ran."""
    if job is None:
        return f"tuner resume {directory}"
    # at a URL, this machine's copy of the study's file; the directory may be the cluster's alone
    file = directory.config if directory.config.is_file() else "STUDY.yaml"
    return f"tuner submit {file} --directory {directory} --address {job.address}"
