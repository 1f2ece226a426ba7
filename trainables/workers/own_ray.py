"""A Ray of our own: no other machine reaches it, and no other user of this one has its token."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from types import ModuleType

BOUND = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Ray's switch for laptops: if off, every process of its listens at 127.0.0.1 alone.

By default, on Linux, they listen at all addresses of the machine.
"""


@contextmanager
def closed_to_others(ray: ModuleType) -> Iterator[None]:
    """Start a Ray in this block; its processes listen at 127.0.0.1 and ask for a token.

    The token is Ray's own, ``~/.ray/auth_token``, made here so that only its owner can read it.
    ``RAY_AUTH_MODE=disabled`` does without one.

    Args:
        ray: the library, which only its adapters import.
    """
    own_token()
    constants = ray._private.ray_constants
    before = constants.ENABLE_RAY_CLUSTER, os.environ.get(BOUND)
    # the constant for this process, which has imported Ray; the variable for those that it starts
    constants.ENABLE_RAY_CLUSTER, os.environ[BOUND] = False, "0"
    try:
        yield
    finally:
        constants.ENABLE_RAY_CLUSTER = before[0]
        if before[1] is None:
            del os.environ[BOUND]
        else:
            os.environ[BOUND] = before[1]


def own_token() -> None:
    """Have a token that only its owner can read; Ray would write one that everybody can."""
    if {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys():
        return
    path = Path.home() / ".ray" / "auth_token"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(token_hex(32))
    except FileExistsError:
        if path.stat().st_mode & 0o077 and path.stat().st_uid == os.getuid():
            path.chmod(0o600)
    except OSError:  # no home to write to: Ray says what it thinks of that
        return
