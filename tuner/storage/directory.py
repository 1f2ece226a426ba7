"""Where a study lives on disk, and who may write there."""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from trainables.storage.urls import below, parent
from tuner.differences import describe_differences
from tuner.plain_yaml import yaml_text
from tuner.storage.atomic import write_atomically
from tuner.storage.working_copy import FOLDER as COPY
from tuner.storage.working_copy import WorkingCopy, is_light
from tuner.study import StudyConfig
from tuner.study_file import load_study

FREE_TO_CHANGE = ("trials", "description", "tracking", "resources")
"""Parts of a study that a later run may change without making it another study."""

LOCK = ".lock"


@dataclass(frozen=True)
class StudyDirectory:
    """``runs/<study>`` and the places in it; of a study at a URL, of this machine's copy of it."""

    path: Path

    def __str__(self) -> str:
        """What a command line calls it: the path, or the URL."""
        return str(self.copy or self.path)

    def called(self, name: str) -> str:
        """What a command line calls something in it."""
        copy = self.copy
        return copy.called(name) if copy else (self.path / name).as_posix()

    @property
    def copy(self) -> WorkingCopy | None:
        """The copy that the path is, if the study lives at a URL."""
        return WorkingCopy.of(self.path)

    @property
    def home(self) -> str:
        """What all nodes call it: the absolute path, or the URL."""
        copy = self.copy
        return copy.url if copy else str(self.path.resolve())

    @property
    def teachers_home(self) -> str:
        """What all nodes call the folder of teachers."""
        copy = self.copy
        return below(parent(copy.url), "teachers") if copy else str(self.teachers.resolve())

    def trial_home(self, number: int) -> str:
        """What all nodes call the place of a trial."""
        copy, folder = self.copy, self.trial(number)
        name = folder.relative_to(self.path).as_posix()
        return below(copy.url, name) if copy else str(folder.resolve())

    def trial_file(self, number: int, name: str) -> Path:
        """A file of a trial; brought here first if the study lives at a URL. It may be missing."""
        copy, path = self.copy, self.trial(number) / name
        if copy is None or (is_light(name) and path.is_file()):
            return path
        return copy.bring(path.relative_to(self.path).as_posix())

    @property
    def config(self) -> Path:
        """The study as it was asked for, resolved."""
        return self.path / "study.yaml"

    @property
    def teachers(self) -> Path:
        """Prepared teachers, shared with the studies beside this one."""
        return self.path.parent / "teachers"

    @property
    def front(self) -> Path:
        """Tables, pictures and configs of the front."""
        return self.path / "front"

    @property
    def report(self) -> Path:
        """The report page."""
        return self.path / "report.html"

    @property
    def ray(self) -> Path:
        """Ray's own scratch; nothing in it is needed again."""
        return self.path / "ray"

    def trial(self, number: int) -> Path:
        """Config, metrics, checkpoint and error log of one trial."""
        return self.path / "trials" / f"{number:04d}"

    def study(self) -> StudyConfig:
        """The study that lives here.

        Raises:
            ValueError: if none does.
        """
        if not self.config.is_file():
            raise ValueError(f"{self} holds no study; list the studies with: tuner ls")
        return load_study(self.config)

    def claim(self, study: StudyConfig) -> None:
        """Make the directory this study's own, or see that it already is.

        Raises:
            ValueError: if it belongs to another study; nothing is written then.
        """
        if self.config.is_file():
            refuse_another(load_study(self.config), study, str(self))
        elif self.path.exists() and not all(map(self._left_by_a_kill, self.path.iterdir())):
            raise ValueError(
                f"directory {self} is not empty and holds no study.yaml; "
                "choose an empty or a new one"
            )
        self.path.mkdir(parents=True, exist_ok=True)
        write_yaml(self.config, study.model_dump(mode="json"))

    def _left_by_a_kill(self, path: Path) -> bool:
        """Whether a driver that was killed before it had its first study.yaml left the file."""
        return path.name in {LOCK, COPY} or path.name.startswith(f".{self.config.name}.")

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep every other driver out of the study.

        Raises:
            ValueError: if one is at work in it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / LOCK).open("a+") as file:
            if not _lock(file, fcntl.LOCK_EX):
                file.seek(0)
                raise ValueError(
                    f"study {self} is being run by process {file.read() or 'unknown'}; "
                    "wait for it or stop it first"
                )
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    def driver(self) -> str | None:
        """Who runs the study now: its process id, or ``unknown``; None if nobody does.

        Of a study at a URL, also ``7 on node2``, as its database says.
        """
        if self.is_locked:
            return (self.path / LOCK).read_text() or "unknown"
        return self._driver_elsewhere() if self.copy else None

    def _driver_elsewhere(self) -> str | None:
        from tuner.storage.lease import driver_in  # heavy: looks into a database

        study = self.study()
        return driver_in(study.storage, study.name) if study.storage else None

    @property
    def is_locked(self) -> bool:
        """Whether a driver is at work on this machine, or on one that sees the same folder."""
        try:
            with (self.path / LOCK).open() as file:
                return not _lock(file, fcntl.LOCK_SH)
        except FileNotFoundError:
            return False

    def require_space(self, gigabytes: float) -> None:
        """See that the disk has room.

        Raises:
            ValueError: if it has less than ``gigabytes`` free.
        """
        existing = next(p for p in (self.path, *self.path.resolve().parents) if p.exists())
        free = shutil.disk_usage(existing).free / 1e9
        if free < gigabytes:
            raise ValueError(
                f"the disk of {self.path} has {free:.2f} GB free, but the study needs "
                f"{gigabytes:g} GB (resources.min_free_disk_gb); free some or use another directory"
            )


def _lock(file: TextIO, kind: int) -> bool:
    """Take the lock if it is free; tried twice, as one who only looks holds it for a moment."""
    for attempt in range(2):
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except OSError:
            time.sleep(0.0 if attempt else 0.05)
        else:
            return True
    return False


def write_yaml(path: Path, content: object) -> None:
    """Write ``content`` as YAML; ``path`` holds the old or the whole new text."""
    write_atomically(path, yaml_text(content))


def refuse_another(before: StudyConfig, now: StudyConfig, place: str | Path) -> None:
    """See that what is asked for is what lives in a directory, but for what is free to change.

    Raises:
        ValueError: naming what differs.
    """

    def identity(study: StudyConfig) -> dict[str, object]:
        return study.model_dump(mode="json", exclude=set(FREE_TO_CHANGE))

    if differences := describe_differences(identity(before), identity(now)):
        raise ValueError(
            f"directory {place} belongs to another study: {differences}; "
            "choose another directory, or another name"
        )
