"""This machine's copy of a study that lives at a URL: verbs work in it, and it is kept in step.

The bucket is the record of the files, the copy can be removed at any time. Checkpoints stay in the
bucket until somebody asks for one; those of trials are put there by the nodes that train them.
"""

import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from filelock import FileLock

from trainables.storage.object_store import Stamp, StoreError, UrlFolder, copy_of, patiently
from trainables.storage.urls import below, completed, shown, tidy
from tuner.storage.atomic import write_atomically

FOLDER = ".copy"
"""In the working copy: which URL it is of, and what was the same there and here."""
AT_ONCE = 16
"""Files that are transferred at the same time."""
LAST_PATIENCE = 60.0
"""Seconds for the store to come back at the end."""
HEAVY = ".pt"
SCRATCH = ("ray",)
"""Folders of the study that only its driver needs."""
DERIVED = "front"
"""Folder whose files are removed at the URL once they are gone here."""

Synced = dict[str, tuple[Stamp, Stamp]]
"""By name: the version there and the version here that have the same content."""


@dataclass(frozen=True)
class WorkingCopy:
    """A folder here that follows one at a URL.

    Attributes:
        path: here.
        url: there, complete, so that it means the same on every node.
        typed: there, as a person wrote it.
    """

    path: Path
    url: str
    typed: str

    @classmethod
    def at(cls, typed: str) -> "WorkingCopy":
        """The copy of what is at a URL; its folder is made, nothing is brought here yet.

        Raises:
            ValueError: if the URL cannot be used.
        """
        url = completed(typed)
        copy = cls(copy_of(url).resolve(), url, tidy(typed))
        content = json.dumps({"url": copy.url, "typed": copy.typed})
        write_atomically(copy.path / FOLDER / "url.json", content)
        return copy

    @classmethod
    def of(cls, path: Path) -> "WorkingCopy | None":
        """The copy that a folder is; None if it is a folder like any other.

        Also if it only says that it is a copy: one that was moved, or made by somebody else, would
        be filled from, and sent to, wherever that says.
        """
        note = path / FOLDER / "url.json"
        if not note.is_file():
            return None
        copy = cls(path.resolve(), **json.loads(note.read_text()))
        return copy if copy.path == copy_of(copy.url).resolve() else None

    def __str__(self) -> str:
        """The URL, as a command line takes it."""
        return self.called()

    def called(self, name: str = "") -> str:
        """What a command line calls the study, or something in it."""
        url = shown(self.typed)
        return shlex.quote(below(url, name) if name else url)

    @property
    def remote(self) -> UrlFolder:
        """The folder at the URL."""
        return UrlFolder(self.url)

    def pull(self, *, forget: bool = True) -> None:
        """Bring here what is new or other there, in place of what is here.

        Args:
            forget: remove here, too, what was removed there.

        Raises:
            StoreError: if the store does not answer.
        """
        there = {name: s for name, s in self.remote.files().items() if is_light(name)}
        with self._alone() as synced:
            gone = synced.keys() - there.keys() if forget else set()
            for name in gone:
                (self.path / name).unlink(missing_ok=True)
                del synced[name]
            new = [
                name
                for name, stamp in there.items()
                if name not in synced or synced[name][0] != stamp or not self._here(name)
            ]
            _each(lambda name: self._fetch(name, there[name], synced), new)

    def push(self) -> int:
        """Put there what is new or other here; the number of files.

        Raises:
            StoreError: if the store does not answer, or refuses.
        """
        with self._alone() as synced:
            here = {name: stamp for name in self._names() if (stamp := self._here(name))}
            changed = [n for n, s in here.items() if n not in synced or synced[n][1] != s]
            _each(lambda name: self._send(name, here[name], synced), changed)
            for name in [n for n in synced if n not in here and PurePath(n).parts[0] == DERIVED]:
                self.remote.delete(name)
                del synced[name]
        return len(changed)

    def put(self) -> None:
        """As ``push``, patiently: for the end of what writes here.

        Raises:
            StoreError: if the store does not answer for a minute, or refuses.
        """
        try:
            patiently(self.push, LAST_PATIENCE)
        except StoreError as error:
            raise StoreError(
                f"{error}; what was written lies in {self.path} and is put there by the same "
                "command once more"
            ) from error

    def bring(self, name: str) -> Path:
        """Where a file is here, in its newest version, if it is there at all; for heavy ones.

        Raises:
            StoreError: if the store does not answer.
        """
        with self._alone() as synced:
            stamp = self.remote.stamp(name)
            newest = name in synced and synced[name][0] == stamp and self._here(name)
            if stamp is None and name in synced:
                del synced[name]
                (self.path / name).unlink(missing_ok=True)
            elif stamp is not None and not newest:
                self._fetch(name, stamp, synced)
        return self.path / name

    def _fetch(self, name: str, stamp: Stamp, synced: Synced) -> None:
        if self.remote.fetch(name, self.path / name) and (here := self._here(name)):
            synced[name] = (stamp, here)

    def _send(self, name: str, here: Stamp, synced: Synced) -> None:
        try:
            self.remote.send(self.path / name, name)
        except FileNotFoundError:
            return  # it was removed in the meantime
        if there := self.remote.stamp(name):
            synced[name] = (there, here)

    def _here(self, name: str) -> Stamp | None:
        try:
            found = (self.path / name).stat()
        except OSError:
            return None
        return Stamp(found.st_size, found.st_mtime_ns)

    def _names(self) -> Iterator[str]:
        """What of the copy belongs at the URL."""
        for path in sorted(self.path.rglob("*")):
            name = path.relative_to(self.path).as_posix()
            if belongs(name) and path.is_file():
                yield name

    @contextmanager
    def _alone(self) -> Iterator[Synced]:
        """What is the same here and there, to be changed; one process and thread at a time."""
        note = self.path / FOLDER / "synced.json"
        note.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.path / FOLDER / "lock"):
            synced = _read(note)
            before = dict(synced)
            try:
                yield synced
            finally:
                if synced != before:
                    write_atomically(note, json.dumps(synced))


def copies_in(folder: str) -> list[WorkingCopy]:
    """Of every study directly in a folder at a URL; of each, no more than its file is brought here.

    Raises:
        ValueError: if the URL cannot be used.
        StoreError: if the store does not answer.
    """
    there = UrlFolder(completed(folder, bucket_alone=True))
    copies = [WorkingCopy.at(below(tidy(folder), name)) for name in there.folders()]
    return [copy for copy in copies if copy.bring("study.yaml").is_file()]


def belongs(name: str) -> bool:
    """Whether a file of the working copy is put at the URL, by its path in the study."""
    parts = PurePath(name).parts
    hidden = any(part.startswith(".") for part in parts)
    of_a_trial = parts[0] == "trials" and name.endswith(HEAVY)
    return not (hidden or of_a_trial or parts[0] in SCRATCH)


def is_light(name: str) -> bool:
    """Whether a file is brought here without being asked for.

    Objects may be called ``/etc/x`` or ``a//b``; no file of a study is.
    """
    path = PurePath(name)
    odd = path.is_absolute() or path.as_posix() != name
    hidden = any(part.startswith(".") for part in path.parts)
    return not (odd or hidden or name.endswith((HEAVY, ".part")))


def _read(note: Path) -> Synced:
    try:
        content: Mapping[str, Any] = json.loads(note.read_text())
    except (OSError, ValueError):  # of a process that was killed before its first transfer
        return {}
    return {name: (Stamp(*there), Stamp(*here)) for name, (there, here) in content.items()}


def _each(work: Callable[[str], None], names: Iterable[str]) -> None:
    """Do it for all at once; the first error is raised, after the others have had their turn."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for result in [pool.submit(work, name) for name in names]:
            result.result()
