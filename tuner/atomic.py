"""Files that are there whole or not at all."""

import os
from pathlib import Path


def write_atomically(path: Path, content: str | bytes) -> Path:
    """Write beside ``path``, then rename: nobody meets half a file, not even after a crash.

    Args:
        path: where the file is to be; missing folders are made.
        content: bytes, or text written as UTF-8 with its line ends untouched.

    Returns:
        ``path``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
