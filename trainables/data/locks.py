"""One process writes, the others wait: many trials begin at the same time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock


@contextmanager
def locked(folder: Path, name: str) -> Iterator[None]:
    """Hold the lock ``name`` of a folder, which is made where it is missing.

    Raises:
        ValueError: if the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f".{name}.lock")
        lock.acquire()
    except OSError as error:
        raise ValueError(
            f"data.root must be a folder in which {name} can be written, got {folder} ({error})"
        ) from error
    try:
        yield
    finally:
        lock.release()
