"""Folders in object stores and on file systems that pyarrow reaches by URL; no Ray, no Optuna."""

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from uuid import uuid4

from trainables.storage.urls import below, name_of, options_of, parent, place_of, shown

CHUNK = 8 * 2**20
"""Bytes that are copied at a time."""
CONNECT_SECONDS, REQUEST_SECONDS, ATTEMPTS = 5.0, 60.0, 3
RETRY_SECONDS = 10
"""For which Google's client tries again by itself."""
LONGEST_PAUSE = 15.0
"""Seconds between attempts of :func:`patiently`."""

DENIED = (
    "ACCESS_DENIED",
    "INVALID_ACCESS_KEY",
    "INVALID_CLIENT_TOKEN",
    "SIGNATURE",
    "UNAUTH",
    "UNRECOGNIZED_CLIENT",
    "Forbidden",
    "denied",
)
"""What Arrow's messages say where credentials are missing or wrong."""

Result = TypeVar("Result")


class StoreError(ConnectionError):
    """An object store that cannot be used now; one sentence that says why."""


class StoreRefusedError(StoreError):
    """A store that answers, and says no: another attempt would not help."""


class Stamp(NamedTuple):
    """What tells one version of a file from the next: bytes, and nanoseconds since 1970."""

    size: int
    modified: int


@dataclass(frozen=True)
class UrlFolder:
    """A folder at a URL; a file in it is there whole or not at all.

    Every method raises :class:`StoreError` if the store does not answer, or refuses.

    Args:
        url: as ``trainables.storage.urls.completed`` makes it.
    """

    url: str

    def below(self, name: str) -> "UrlFolder":
        """A folder in this one."""
        return UrlFolder(below(self.url, name))

    def files(self, *, deep: bool = True) -> dict[str, Stamp]:
        """Everything in the folder by its path from here; empty if there is no such folder.

        Args:
            deep: whether folders in it are looked into, too.

        Raises:
            StoreError: also if there is no such bucket.
        """
        from pyarrow.fs import FileSelector, FileType

        with self._told():
            system, path = self._opened
            found = system.get_file_info(FileSelector(path, allow_not_found=True, recursive=deep))
            if not found:
                self._require_bucket()
            return {
                info.path.removeprefix(f"{path}/"): _stamp(info)
                for info in found
                if info.type == FileType.File
            }

    def folders(self) -> list[str]:
        """Names of the folders directly in it, sorted."""
        from pyarrow.fs import FileSelector, FileType

        with self._told():
            system, path = self._opened
            found = system.get_file_info(FileSelector(path, allow_not_found=True))
            if not found:
                self._require_bucket()
            return sorted(info.base_name for info in found if info.type == FileType.Directory)

    def stamp(self, name: str) -> Stamp | None:
        """Which version of a file is there; None if none is."""
        from pyarrow.fs import FileType

        with self._told():
            system, path = self._opened
            info = system.get_file_info(f"{path}/{name}")
            return _stamp(info) if info.type == FileType.File else None

    def fetch(self, name: str, to: Path) -> bool:
        """Bring a file here, whole or not at all; False if it is not there."""
        half = to.with_name(f".{to.name}.{uuid4().hex}.part")
        to.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._told(), self._reading(name) as source, half.open("wb") as target:
                _copy(source, target)
            half.replace(to)
        except FileNotFoundError:
            return False
        finally:
            half.unlink(missing_ok=True)
        return True

    def send(self, source: Path, name: str) -> None:
        """Put a file of this machine into the folder, in place of what was there."""
        scheme, _ = place_of(self.url)
        with source.open("rb") as file, self._told():
            system, path = self._opened
            if scheme != "file":  # an object appears once its last byte is there
                with system.open_output_stream(f"{path}/{name}") as target:
                    _copy(file, target)
                return
            half = f"{path}/{name}.{uuid4().hex}.part"
            system.create_dir(half.rpartition("/")[0], recursive=True)
            with system.open_output_stream(half) as target:
                _copy(file, target)
            system.move(half, f"{path}/{name}")

    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""
        with self._told(), suppress(FileNotFoundError):
            system, path = self._opened
            system.delete_file(f"{path}/{name}")

    @property
    def _opened(self) -> tuple[Any, str]:
        scheme, path = place_of(self.url)
        return _file_system(scheme, tuple(sorted(options_of(self.url).items()))), path

    @contextmanager
    def _reading(self, name: str) -> Iterator[Any]:
        system, path = self._opened
        with system.open_input_stream(f"{path}/{name}") as stream:
            yield stream

    def _require_bucket(self) -> None:
        """A bucket that is missing lists as an empty one."""
        from pyarrow.fs import FileType

        system, path = self._opened
        scheme, bucket = place_of(self.url)[0], path.partition("/")[0]
        if scheme != "file" and system.get_file_info(bucket).type == FileType.NotFound:
            raise OSError("NO_SUCH_BUCKET")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Other libraries' errors as one sentence."""
        try:
            yield
        except (FileNotFoundError, StoreError):
            raise
        except OSError as error:
            place = shown(self.url).partition("?")[0]
            raise _in_words(place, str(error)) from error


def _in_words(url: str, error: str) -> StoreError:
    """What went wrong and what to do, from what Arrow says of it."""
    if "NO_SUCH_BUCKET" in error:
        return StoreRefusedError(f"{url}: the bucket does not exist; make it, or correct the URL")
    if any(word in error for word in DENIED):
        return StoreRefusedError(
            f"{url}: access is denied; give credentials that may list, read and write there by the "
            "environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY), by ~/.aws or by the "
            "machine's role"
        )
    detail = " ".join(error.rpartition("operation: ")[2].split())[:160]
    if "NETWORK_CONNECTION" in error or "imeout" in error or "timed out" in error:
        return StoreError(
            f"{url}: the store does not answer ({detail}); see that it runs and is reachable"
        )
    return StoreError(f"{url}: the store fails ({detail})")


def _stamp(info: Any) -> Stamp:
    return Stamp(int(info.size), int(info.mtime_ns or 0))


def _copy(source: Any, target: Any) -> None:
    while chunk := source.read(CHUNK):
        target.write(chunk)


@lru_cache(maxsize=8)
def _file_system(scheme: str, options: tuple[tuple[str, str], ...]) -> Any:
    """Opened once per process; safe to be used by several threads."""
    from pyarrow import fs

    if scheme == "file":
        return fs.LocalFileSystem()
    if scheme == "s3":
        return fs.S3FileSystem(
            **dict(options),
            connect_timeout=CONNECT_SECONDS,
            request_timeout=REQUEST_SECONDS,
            retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
            allow_delayed_open=True,  # one request for a small file instead of three
        )
    from datetime import timedelta

    given = {key: value for key, value in options if key != "region"}
    return fs.GcsFileSystem(retry_time_limit=timedelta(seconds=RETRY_SECONDS), **given)


def patiently(operation: Callable[[], Result], seconds: float) -> Result:
    """Try again, with growing pauses, until it works or the time is over.

    Raises:
        StoreError: of the last attempt, or as soon as the store refuses.
    """
    deadline, pause = time.monotonic() + seconds, 0.5
    while True:
        try:
            return operation()
        except StoreRefusedError:
            raise
        except StoreError:
            if time.monotonic() + pause > deadline:
                raise
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


CACHE = "TUNER_CACHE"
"""Environment variable: the folder for copies of what lies at URLs."""


def cache_folder() -> Path:
    """Where this machine keeps copies of what lies at URLs: ``$TUNER_CACHE``, else the user's."""
    if named := os.environ.get(CACHE):
        return Path(named)
    user = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(user) / "robust-distillation-tuner"


def copy_of(url: str) -> Path:
    """Where this machine keeps its copy of a folder at a URL: neighbours there, neighbours here."""
    above = parent(url)
    words = re.sub(r"[^A-Za-z0-9_-]+", "-", place_of(above)[1]).strip("-")[-40:]
    digest = hashlib.sha256(above.encode()).hexdigest()[:12]
    return cache_folder() / f"{words}-{digest}" / name_of(url)
