"""One process that reads hostile files, so that what kills or hangs it is seen from outside."""

import contextlib
import io
import resource
import shutil
import warnings
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

from benchmarks.fuzz.guard import Guard
from benchmarks.fuzz.targets import TARGETS, Target
from benchmarks.fuzz.verdicts import Verdict, judge

HEADROOM = 2 * 2**30
"""Bytes of address space beyond what the process has when it begins."""


def work(name: str, seed: int, sandbox: Path, numbers: Iterable[int], reports: Connection) -> None:
    """Read one input per number, and report each before and after.

    Args:
        name: of the target.
        seed: with a number it is the input.
        sandbox: an empty folder.
        numbers: of the inputs.
        reports: gets ``(number, None)``, then ``(number, Verdict)``; at the end None.
    """
    for number, verdict in verdicts(name, seed, sandbox, numbers, reports.send):
        reports.send((number, verdict))
    reports.send(None)


def verdicts(
    name: str,
    seed: int,
    sandbox: Path,
    numbers: Iterable[int],
    begin: Callable[[tuple[int, None]], object] = lambda _: None,
    limit: bool = True,
) -> Iterable[tuple[int, Verdict]]:
    """What becomes of every input."""
    target = TARGETS[name]
    guard = Guard(sandbox)
    reading = Reading(target, sandbox, guard)
    reading.read(target.valid(), target.read, judged=False)  # imports what is imported late
    _require_accepted(reading.read(target.valid(), target.read))
    if limit:
        _limit_memory()
    for number in numbers:
        begin((number, None))
        yield number, reading.input(made(target, name, seed, number))


def made(target: Target, name: str, seed: int, number: int) -> bytes:
    """The input of this number, the same everywhere."""
    return target.make(Random(f"{seed} {name} {number}"))


class Reading:
    """Puts content into the sandbox and reads it."""

    def __init__(self, target: Target, sandbox: Path, guard: Guard) -> None:
        self._target, self._sandbox, self._guard = target, sandbox, guard

    def input(self, content: bytes) -> Verdict:
        """Judge an input; where it may leave traces, a valid file, too."""
        found, after = self.read(content, self._target.read), self._target.after
        if after and found.kind == "refused":
            then = self.read(self._target.valid(), after)
            if then.kind != "accepted":
                return Verdict("fault", f"then a valid file is not read: {then.why}")
        return found

    def read(
        self, content: bytes, reader: Callable[[Path], object], *, judged: bool = True
    ) -> Verdict:
        """Judge a content, in a sandbox that holds nothing else."""
        path = self._sandbox / self._target.file
        path.write_bytes(content)
        try:
            with _silent():
                if judged:
                    return judge(reader, path, self._guard)
                reader(path)
                return Verdict("accepted")
        finally:
            _empty(self._sandbox)


def _require_accepted(found: Verdict) -> None:
    assert found.kind == "accepted", f"the valid file is not accepted: {found}"


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(
        resource.RLIMIT_AS, (pages * resource.getpagesize() + HEADROOM, resource.RLIM_INFINITY)
    )


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


@contextlib.contextmanager
def _silent() -> Iterable[None]:
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
