"""A study on a disk that refuses every n-th write, whoever writes."""

import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.load.failing_driver import FAULTS
from benchmarks.load.live import study_of
from benchmarks.load.points import compare
from tuner.records import TrialState
from tuner.storage.directory import StudyDirectory
from tuner.storage.ledger import read_records

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


def measure(folder: Path, *, trials: int, every: int, epochs: int = 10) -> dict[str, Any]:
    """Start the same driver until the study has its trials, then compare everything.

    Its directory fails; MLflow's database lies beside it, as SQLite tries nothing again.
    """
    study, count = study_of("failing", trials, epochs, **FAULTS), folder / "count"
    directory = StudyDirectory(folder / "runs" / study.name)
    (folder / "runs").mkdir(parents=True)
    command = [sys.executable, "-m", "benchmarks.load.failing_driver", str(folder)]
    command += [str(trials), str(epochs)]
    codes: list[int] = []
    with failing_writes(directory.path, count, every=every):
        while len(codes) < MOST_STARTS and (not codes or codes[-1]):
            codes.append(subprocess.run(command, check=False).returncode)
    records = read_records(study, directory.path)
    lines = (folder / "acknowledged").read_text().splitlines()
    held = {(r.number, epoch) for r in records for epoch in range(1, len(r.reports) + 1)}
    noted = {(int(number), int(epoch)) for number, epoch in map(str.split, lines)}
    writes, failures = failed(count)
    return {
        "trials": len(records),
        "asked": trials,
        "complete": sum(record.state == TrialState.complete for record in records),
        "exits": codes,
        "writes": writes,
        "failed": failures,
        "acknowledged": len(noted),
        "lost": len(noted - held),
        "half_files": len(list(directory.path.rglob("*.part"))),
        "metrics_files": len(list(directory.path.rglob("metrics.csv"))),
        "mlflow": vars(compare(records, folder / "runs" / "mlflow.db")),
    }


def misses(row: dict[str, Any]) -> list[str]:
    """Promises that did not hold, in words."""
    checks = {
        "the study did not end": row["exits"][-1] == 0,
        "another exit code than 0 and 2": set(row["exits"]) <= {0, 2},
        "no write failed": row["failed"] > 0,
        "an acknowledged report was lost": row["lost"] == 0,
        "half a file": row["half_files"] == 0,
        "another number of trials": row["trials"] == row["complete"] == row["asked"],
        "a trial without its files": row["metrics_files"] == row["asked"],
        "MLflow and ledger differ": not any(row["mlflow"][k] for k in ("lost", "doubled")),
    }
    return [words for words, held in checks.items() if not held]
