"""A file that only the driver writes, so that nodes can say whether they see it."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def nearest(path: Path) -> Path:
    """The path itself, absolute, or the next folder above it that is there."""
    place = path.resolve()
    return next(folder for folder in (place, *place.parents) if folder.exists())


@contextmanager
def nonce_in(folder: Path) -> Iterator[str]:
    """Write ``.doctor-<nonce>`` into a folder; afterwards, remove it and all answers beside it.

    Where it cannot be written, nobody will see it, and everybody says so.

    Yields:
        The nonce.
    """
    nonce = secrets.token_hex(4)
    try:
        (folder / f".doctor-{nonce}").write_text(nonce)
    except OSError:  # the driver's own look says what is wrong
        yield nonce
        return
    try:
        yield nonce
    finally:
        for file in folder.glob(f".doctor-{nonce}*"):
            file.unlink(missing_ok=True)
