"""One process that reads hostile files, so that what kills or hangs it is seen from outside."""

import contextlib
import io
import resource
import shutil
import warnings
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random, random
from typing import NamedTuple

from benchmarks.fuzz.guard import Guard
from benchmarks.fuzz.targets import TARGETS, Target
from benchmarks.fuzz.verdicts import Verdict, judge

EVERY = 1 / 8
"""Share of the refused inputs after which a valid file is read."""
HEADROOM = 2 * 2**30
"""Bytes of address space beyond what the process has when it begins."""


class Input(NamedTuple):
    """A hostile file, the same everywhere."""

    target: str
    seed: int
    number: int

    def content(self) -> bytes:
        """Its bytes."""
        return TARGETS[self.target].make(Random(f"{self.seed} {self.target} {self.number}"))


def work(inputs: list[Input], sandbox: Path, reports: Connection) -> None:
    """Read inputs; before each its place in the list is reported, then what became of it."""
    readings = begin(sandbox, dict.fromkeys(one.target for one in inputs))
    _limit_memory()
    for place, one in enumerate(inputs):
        reports.send((place, None))
        reports.send((place, readings[one.target].judge(one.content())))
    reports.send(None)


def begin(sandbox: Path, names: Iterable[str]) -> dict[str, "Reading"]:
    """Readings by target, whose valid file has been read: what is imported late is there."""
    guard = Guard(sandbox)
    readings = {name: Reading(TARGETS[name], sandbox, guard) for name in names}
    for name, reading in readings.items():
        found = reading.warm_up()
        assert found.kind == "accepted", f"{name}: the valid file is not accepted: {found}"
    return readings


class Reading:
    """Puts content into the sandbox and reads it."""

    def __init__(self, target: Target, sandbox: Path, guard: Guard) -> None:
        self._target, self._sandbox, self._guard = target, sandbox, guard

    def warm_up(self) -> Verdict:
        """Read a valid file twice; the first time, as importing is not judged, unwatched."""
        with self._placed(self._target.valid()) as path:
            self._target.read(path)
        return self._read(self._target.valid(), self._target.read)

    def judge(self, content: bytes) -> Verdict:
        """Judge an input; where it may leave traces, a valid file, too."""
        found, after = self._read(content, self._target.read), self._target.after
        if after and found.kind == "refused" and random() < EVERY:
            then = self._read(self._target.valid(), after)
            if then.kind != "accepted":
                return Verdict("fault", f"then a valid file is not read: {then.why}")
        return found

    def _read(self, content: bytes, reader: Callable[[Path], object]) -> Verdict:
        with self._placed(content) as path:
            return judge(reader, path, self._guard)

    @contextlib.contextmanager
    def _placed(self, content: bytes) -> Iterator[Path]:
        """The content as a file, in a sandbox that holds nothing else; nothing is said."""
        path = self._sandbox / self._target.file
        path.write_bytes(content)
        try:
            with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
                warnings.simplefilter("ignore")
                yield path
        finally:
            for left in self._sandbox.iterdir():
                shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + HEADROOM
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
