"""A file that only the driver writes, so that nodes can say whether they see it."""

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from trainables.storage.object_store import StoreError, UrlFolder
from trainables.storage.urls import completed, is_url, parent


def folder_of_studies(directory: str | Path) -> str:
    """Where a study's neighbours live: a folder that is there, or a URL as all nodes have it.

    Raises:
        ValueError: if a URL cannot be used.
    """
    if is_url(directory):
        return parent(completed(str(directory)))
    return str(nearest(Path(directory)))


def nearest(path: Path) -> Path:
    """The path itself, absolute, or the next folder above it that is there."""
    place = path.resolve()
    return next(folder for folder in (place, *place.parents) if folder.exists())


@contextmanager
def nonce_in(storage: str | Path) -> Iterator[str]:
    """Write ``.doctor-<nonce>`` into a folder; afterwards, remove it and all answers beside it.

    Where it cannot be written, nobody will see it, and everybody says so.

    Args:
        storage: a folder, or its URL.

    Yields:
        The nonce.
    """
    nonce = secrets.token_hex(4)
    try:
        _write(str(storage), nonce)
    except OSError:  # the driver's own look says what is wrong
        yield nonce
        return
    try:
        yield nonce
    finally:
        _remove(str(storage), f".doctor-{nonce}")


def _write(storage: str, nonce: str) -> None:
    name = f".doctor-{nonce}"
    if not is_url(storage):
        (Path(storage) / name).write_text(nonce)
        return
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / name
        source.write_text(nonce)
        UrlFolder(storage).send(source, name)


def _remove(storage: str, beginning: str) -> None:
    if not is_url(storage):
        for file in Path(storage).glob(f"{beginning}*"):
            file.unlink(missing_ok=True)
        return
    with suppress(StoreError):
        remote = UrlFolder(storage)
        for name in remote.files(deep=False):
            if name.startswith(beginning):
                remote.delete(name)
