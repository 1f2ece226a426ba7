"""Writing that a passing fault of the file system does not end."""

import errno
import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

PASSING = frozenset(
    {errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN, errno.EBUSY, errno.EREMOTEIO}
)
"""What a shared or ailing disk says now and not a moment later; a full disk stays full."""

PAUSES = (0.02, 0.1, 0.5, 2.0)
"""Seconds between attempts."""


def persistently(write: Callable[[], Result]) -> Result:
    """What ``write`` returns; it is called again after a passing fault, five times in all.

    Args:
        write: begins from the start whenever it is called.

    Raises:
        OSError: the last attempt's, or the first that does not pass.
    """
    for pause in PAUSES:
        try:
            return write()
        except OSError as error:
            if error.errno not in PASSING:
                raise
            time.sleep(pause)
    return write()
