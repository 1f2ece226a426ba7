"""What became of an input: accepted, refused in one sentence, or a fault of ours."""

import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.fuzz.guard import Guard

SECONDS = 5.0
"""Of processor time, for one input."""
MEGABYTES = 512
"""By which the largest memory of the process may grow, for one input."""
LONGEST = 1000
"""Characters of a sentence."""


class Verdict(NamedTuple):
    """``kind`` is accepted, refused or fault; ``why`` says it in words."""

    kind: str
    why: str = ""


class TooSlow(BaseException):
    """The time is over."""


def judge(read: Callable[[Path], object], path: Path, guard: Guard) -> Verdict:
    """Read a file as the product does, and look at how it ends."""
    before = _peak()
    try:
        with guard.watching(), _limited():
            read(path)
        found = Verdict("accepted")
    except Exception as error:
        found = _ending(error, path)
    except TooSlow:
        found = Verdict("fault", f"takes more than {SECONDS:g} s")
    if guard.escapes:
        return Verdict("fault", guard.escapes[0].replace(str(path.parent), "…"))
    if _peak() - before > MEGABYTES:
        return Verdict("fault", f"takes more than {MEGABYTES} MB")
    return found


def _ending(error: Exception, path: Path) -> Verdict:
    kind, text = type(error).__name__, str(error)
    if not (type(error) is ValueError or isinstance(error, OSError)):
        return Verdict("fault", f"{kind}: {_general(text, path)}")
    if len(text) > LONGEST:
        return Verdict("fault", f"{len(text) // 1000 * 1000} characters: {_general(text, path)}")
    if not text.isprintable():
        return Verdict("fault", f"more than a line: {_general(text, path)}")
    return Verdict("refused", _general(text, path))


def _general(text: str, path: Path) -> str:
    """A message without what differs between inputs, to count its kind."""
    text = text.replace(str(path), "FILE").replace(str(path.parent), "FOLDER")
    text = re.sub(r"(['\"]).*?\1", "'…'", text[:LONGEST], flags=re.DOTALL)
    text = re.sub(r"got .*", "got …", text, flags=re.DOTALL)
    return " ".join(re.sub(r"\d+(\.\d+)?", "N", text).split())[:90]


def _peak() -> float:
    """Megabytes, since the program began: getrusage's would begin with those of its parent."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1000


@contextmanager
def _limited() -> Iterator[None]:
    def over(*_: object) -> None:
        raise TooSlow

    signal.signal(signal.SIGPROF, over)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
