"""What a driver or a trial has written."""

import time
from collections.abc import Iterator

from rich import box
from rich.console import Console
from rich.table import Table

from tuner.jobs.jobs import ENDED, client_of, status_of, words_of
from tuner.jobs.notes import Job
from tuner.quantities import short, written
from tuner.records import TrialRecord, TrialState
from tuner.storage.directory import StudyDirectory
from tuner.storage.ledger import read_records

POLL = 2.0
"""Seconds between looks at a growing log."""
SIGHT_PATIENCE = 60.0
"""Seconds that a job server may be out of sight while a log is followed."""
STUDY_WIDE = ("train/loss", "cost/seconds")


def job_log(job: Job, *, lines: int, follow: bool) -> Iterator[str]:
    """The end of a job's log, then, if it is followed, what is added until the job has ended.

    Args:
        job: which.
        lines: how many of the last; 0 means all.
        follow: until the job has ended.

    Yields:
        Pieces of text, line ends included; the last one says how the job stands.

    Raises:
        ConnectionError: if the job server does not answer, while a log is followed for a minute.
    """
    client = client_of(job.address)
    status, text = status_of(client, job), words_of(client, job)
    yield "".join(text.splitlines(keepends=True)[-lines:])
    seen = time.monotonic()
    while follow and status not in ENDED:
        time.sleep(POLL)
        shown = len(text)
        try:
            status, text = status_of(client, job), words_of(client, job)
        except ConnectionError:
            if time.monotonic() > seen + SIGHT_PATIENCE:
                raise
            continue
        seen = time.monotonic()
        yield text[shown:]
    yield f"job {job.id} at {job.address}: {status.lower()}\n"


def show_trial(directory: StudyDirectory, number: int, console: Console) -> None:
    """A trial's epochs, and what went wrong.

    Raises:
        ValueError: if the study has no such trial.
    """
    study = directory.study()
    records = read_records(study, directory.path)
    if not 0 <= number < len(records):
        raise ValueError(
            f"study {directory} has no trial {number}; it has {len(records)}, numbered from 0"
        )
    record = records[number]
    console.print(headline(record), markup=False, soft_wrap=True)
    if record.reports:
        console.print(epochs(record, [o.metric for o in study.objectives]))
    error = directory.trial(number) / "error.log"
    if record.state == TrialState.failed and error.is_file():
        console.print(error.read_text().rstrip(), markup=False, soft_wrap=True)
    console.print(f"files: {directory.trial(number)}", soft_wrap=True, markup=False)


def headline(record: TrialRecord) -> str:
    """``trial 7 (resnet > vit_pico_patch2_8): running, epoch 3 of 15``."""
    done, reason = len(record.reports), f" ({record.reason})" if record.reason else ""
    total = record.config["epochs"]
    return f"trial {record.number} ({record.pair}): {record.state}{reason}, epoch {done} of {total}"


def epochs(record: TrialRecord, objectives: list[str]) -> Table:
    """A line per epoch: the objectives, the loss, seconds."""
    last = record.reports[-1]
    names = [name for name in (*objectives, *STUDY_WIDE) if name in last]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("epoch", *map(short, names)):
        table.add_column(heading, justify="right")
    for report in record.reports:
        values = [written(n, report[n]) if n in report else "-" for n in names]
        table.add_row(f"{report['epoch']:g}", *values)
    return table
