"""Files that are there whole or not at all."""

import contextlib
import os
from pathlib import Path

from trainables.storage.persistence import persistently


def write_atomically(path: Path, content: str | bytes) -> Path:
    """Write beside ``path``, then rename: nobody meets half a file, not even after a crash.

    Tried again after a passing fault, such as one of a shared disk.

    Args:
        path: where the file is to be; missing folders are made.
        content: bytes, or text written as UTF-8 with its line ends untouched.

    Returns:
        ``path``.

    Raises:
        OSError: naming ``path``, if it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = content.encode() if isinstance(content, str) else content
        persistently(lambda: _replace(path, temporary, whole))
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
    return path


def _replace(path: Path, temporary: Path, content: bytes) -> None:
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
