"""Which job a study was handed over as: noted beside its directory, in ``.jobs/<study>.json``.

Who hands a study over need not see its directory, which may be a volume of the cluster's alone: the
note then lies in this machine's cache.
"""

import json
from pathlib import Path
from typing import NamedTuple

from trainables.storage.object_store import UrlFolder, copy_of
from trainables.storage.urls import below, parent
from tuner.json_files import read_json
from tuner.storage.atomic import write_atomically
from tuner.storage.directory import StudyDirectory

NOTES = ".jobs"
"""Folder of notes, beside the studies."""


class Job(NamedTuple):
    """A job: the job server's address, and what it calls the job."""

    address: str
    id: str


def note_of(directory: StudyDirectory) -> Path:
    """Where the job of a study is noted, for all who see its directory."""
    return _beside(directory.path.resolve())


def _own_note_of(directory: StudyDirectory) -> Path:
    """Where this machine notes it where it cannot write there."""
    return _beside(copy_of(directory.path.resolve().as_uri()))


def _beside(path: Path) -> Path:
    return path.parent / NOTES / f"{path.name}.json"


def remember(job: Job, directory: StudyDirectory) -> None:
    """Note the job that a study was handed over as.

    Raises:
        StoreError: if the study lives at a URL that does not answer.
    """
    content = json.dumps(job._asdict())
    try:
        note = write_atomically(note_of(directory), content)
    except OSError:
        note = write_atomically(_own_note_of(directory), content)
    if notes := _notes_at_url(directory):
        notes.send(note, note.name)


def job_of(directory: StudyDirectory) -> Job | None:
    """The job that a study was last handed over as, if it was.

    Raises:
        ValueError: if the note of it is damaged.
    """
    note = note_of(directory)
    if (notes := _notes_at_url(directory)) and not notes.fetch(note.name, note):
        return None
    found = [place for place in (note, _own_note_of(directory)) if place.is_file()]
    if not found:
        return None
    note = max(found, key=lambda place: place.stat().st_mtime)
    said = read_json(note)
    if not all(isinstance(said.get(field), str) for field in Job._fields):
        raise ValueError(f"{note} names no job; delete it, and submit the study again")
    return Job(said["address"], said["id"])


def _notes_at_url(directory: StudyDirectory) -> UrlFolder | None:
    """The folder of notes beside a study that lives at a URL."""
    return UrlFolder(below(parent(directory.home), NOTES)) if directory.copy else None
