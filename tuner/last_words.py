"""What reaches the terminal past the verbs, log lines and tracebacks: without secrets, as text."""

import logging
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from trainables.redaction import without_secrets
from tuner.plain_console import plain

_TRACEBACKS = logging.Formatter()


class DiscreetRecord(logging.LogRecord):
    """A line of a log, of ours or of a library."""

    def getMessage(self) -> str:  # noqa: N802  # logging's own name
        """The line; asked for before the traceback is written, which is then taken from here."""
        if self.exc_info and not self.exc_text:
            self.exc_text = plain(without_secrets(_TRACEBACKS.formatException(self.exc_info)))
        return plain(without_secrets(super().getMessage()))


@contextmanager
def discreet() -> Iterator[None]:
    """Keep secrets out of logs and out of the traceback of an error that nobody caught.

    Raises:
        SystemExit: with code 1, after such a traceback.
    """
    logging.setLogRecordFactory(DiscreetRecord)
    threading.excepthook = _tell_of_thread
    try:
        yield
    except Exception:
        sys.stderr.write(plain(without_secrets(traceback.format_exc())))
        raise SystemExit(1) from None


def _tell_of_thread(ended: threading.ExceptHookArgs) -> None:
    """As Python does of a thread that an error has ended."""
    if ended.exc_type is SystemExit:
        return
    lines = traceback.format_exception(ended.exc_type, ended.exc_value, ended.exc_traceback)
    name = ended.thread.name if ended.thread else "?"
    sys.stderr.write(plain(without_secrets(f"Exception in thread {name}:\n{''.join(lines)}")))
