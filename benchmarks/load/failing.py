"""A study on a disk that refuses every n-th write, whoever writes."""

import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.crashes.agreement import disagreements
from benchmarks.crashes.driver import Victim

SOURCE = Path(__file__).with_name("failing_writes.c")
MOST_STARTS = 20
"""Of the same command, after which a study counts as one that does not end."""


@contextmanager
def failing_writes(folder: Path, count: Path, *, every: int) -> Iterator[None]:
    """Let processes that are started meanwhile get EIO for every n-th write below the folder.

    Args:
        folder: whose files fail.
        count: a file of the benchmark's own, elsewhere; ``failed`` reads it.
        every: n; over all processes together.

    Raises:
        FileNotFoundError: if there is no C compiler.
    """
    library = _compiled(count.with_suffix(".so"))
    count.write_bytes(bytes(16))
    settings = {
        "LD_PRELOAD": str(library),
        "FAILING_FOLDER": str(folder),
        "FAILING_COUNT": str(count),
        "FAILING_EVERY": str(every),
    }
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _compiled(library: Path) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        raise FileNotFoundError("no C compiler: install cc, which makes the writes fail")
    command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    return library


def failed(count: Path) -> tuple[int, int]:
    """How many writes there were, and how many of them failed."""
    writes, failures = struct.unpack("qq", count.read_bytes())
    return writes, failures


def measure(folder: Path, *, trials: int, every: int) -> dict[str, Any]:
    """Start the same command until the study has its trials, then compare everything.

    Its directory fails; MLflow's database lies beside it, as SQLite tries nothing again.
    """
    shutil.rmtree(folder, ignore_errors=True)
    victim, count = Victim(folder, trials=trials), folder / "count"
    codes: list[int] = []
    with failing_writes(victim.directory.path, count, every=every):
        while len(codes) < MOST_STARTS and (not codes or codes[-1]):
            codes.append(victim.finish())
    if b"MLflow is behind" in victim.log.read_bytes():
        victim.finish("sync", str(victim.directory.path))
    writes, failures = failed(count)
    return {
        "trials": len(victim.records()),
        "asked": trials,
        "writes": writes,
        "failed": failures,
        "starts": len(codes),
        "exits": codes,
        "sentences": sentences(victim),
        "tracebacks": victim.log.read_text().count("Traceback"),
        "disagreements": disagreements(victim),
    }


def sentences(victim: Victim) -> list[str]:
    """What the command said in red, without the place."""
    lines = victim.log.read_text().splitlines()
    return [line.replace(f"{victim.folder}/", "") for line in lines if line.startswith("error: ")]


def misses(row: dict[str, Any]) -> list[str]:
    """Promises that did not hold, in words."""
    checks = {
        "the study did not end": row["exits"][-1] == 0,
        "no write failed": row["failed"] > 0,
        "an end without a sentence": len(row["sentences"]) == len(row["exits"]) - 1,
        "a traceback": row["tracebacks"] == 0,
        "another exit code than 0 and 2": set(row["exits"]) <= {0, 2},
    }
    return [words for words, held in checks.items() if not held] + row["disagreements"]
