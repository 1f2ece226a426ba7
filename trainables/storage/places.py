"""Where a trial's files and its teachers lie: in folders that all nodes see, or at URLs."""

import logging
import shutil
import tempfile
import weakref
from functools import partial
from pathlib import Path

from filelock import FileLock

from trainables.config import TrialConfig
from trainables.storage.object_store import StoreError, UrlFolder, copy_of, patiently
from trainables.storage.urls import is_url
from trainables.teachers import PreparedTeacher, prepare_teacher, teacher_files

logger = logging.getLogger(__name__)

PATIENCE = 120.0
"""Seconds for a store to come back before a trial fails, to be taken up later."""
SHORT_PATIENCE = 10.0
"""Seconds for what may wait until the next epoch."""


class TrialPlace:
    """A trial's own place: a folder, or a URL with a scratch folder of this node before it.

    Of a folder, nothing is ever copied.

    Args:
        place: a path, or a URL as ``trainables.storage.urls.completed`` makes it.
    """

    def __init__(self, place: str) -> None:
        self._remote = UrlFolder(place) if is_url(place) else None
        self.folder = Path(place)
        if self._remote:
            self.folder = Path(tempfile.mkdtemp(prefix="tuner-trial-"))
            weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    @property
    def is_remote(self) -> bool:
        """Whether what is written has to be sent."""
        return self._remote is not None

    def fetch(self, name: str, *, soon: bool = False) -> bool:
        """Whether a file is there; brought here first, from a URL.

        Args:
            name: of the file.
            soon: whether seconds are all that it may take.

        Raises:
            StoreError: if the store does not answer for two minutes, or seconds.
        """
        remote, path = self._remote, self.folder / name
        if remote is None:
            return path.is_file()
        return patiently(lambda: remote.fetch(name, path), SHORT_PATIENCE if soon else PATIENCE)

    def send(self, name: str) -> None:
        """See that a file of the folder is where it belongs.

        Raises:
            StoreError: if the store does not answer for two minutes.
        """
        self._send(name, PATIENCE)

    def try_to_send(self, name: str) -> bool:
        """As ``send``, for what may be sent later: whether it was, within seconds."""
        try:
            self._send(name, SHORT_PATIENCE)
        except StoreError as error:
            logger.warning("%s is sent later: %s", name, error)
            return False
        return True

    def _send(self, name: str, patience: float) -> None:
        if (remote := self._remote) is not None:
            patiently(lambda: remote.send(self.folder / name, name), patience)


def fetch_teachers(config: TrialConfig, place: str) -> Path:
    """The folder in which the trial's teachers lie, those that its loss asks.

    Args:
        config: of a trial.
        place: the folder of prepared teachers, or its URL: then this machine keeps a copy of each.

    Raises:
        StoreError: if the store does not answer for two minutes.
    """
    if config.needs_teacher:
        fetch_teacher(config, place)
    if config.method.needs_clean_teacher:
        fetch_teacher(config.clean_teacher_trial(), place)
    return _folder_of(place)


def fetch_teacher(config: TrialConfig, place: str) -> Path:
    """As :func:`fetch_teachers`, the trial's teacher alone, whether its loss asks it or not."""
    folder = _folder_of(place)
    if is_url(place):
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".fetching.lock"):
            for path in teacher_files(config, folder):
                if not path.is_file():
                    patiently(partial(UrlFolder(place).fetch, path.name, path), PATIENCE)
    return folder


def _folder_of(place: str) -> Path:
    return copy_of(place) if is_url(place) else Path(place)


def prepare_teacher_at(config: TrialConfig, place: str) -> PreparedTeacher:
    """As :func:`trainables.teachers.prepare_teacher`, into a folder or to a URL.

    Raises:
        ValueError: if the teacher cannot be used.
        StoreError: if the store does not answer for two minutes.
    """
    folder = fetch_teacher(config, place)
    prepared = prepare_teacher(config, folder)
    if is_url(place):
        for path in teacher_files(config, folder):
            patiently(partial(_send_missing, UrlFolder(place), path), PATIENCE)
    return prepared


def _send_missing(remote: UrlFolder, path: Path) -> None:
    if remote.stamp(path.name) is None:
        remote.send(path, path.name)
