"""A study whose disk is full, before it starts and while it runs: a real one, in memory."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks.crashes.agreement import disagreements
from benchmarks.crashes.driver import Victim

MEGABYTES = 64
"""Size of the disk; a study of six trials takes some 5."""


def may_mount() -> bool:
    """Whether this process may mount a file system of its own."""
    return os.geteuid() == 0 and shutil.which("mount") is not None


@contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """A file system of its own at ``place``, that holds 64 MB and goes with all that is in it.

    Raises:
        PermissionError: if it may not be mounted here.
    """
    place.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tuner-load", str(place)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise PermissionError(f"no file system may be mounted here: {result.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(place: Path) -> Path:
    """Leave no byte free; the file that takes them all."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(2**16))
    return ballast


def measure(folder: Path, *, trials: int, stored: int = 3) -> dict[str, Any]:
    """Start on a full disk, then fill it while trials run, make room, and start again.

    Args:
        folder: emptied first.
        trials: of the study.
        stored: reports before the disk is filled.
    """
    shutil.rmtree(folder, ignore_errors=True)
    resources = {"cpus": 1, "max_concurrent": 2, "min_free_disk_gb": 0}
    victim = Victim(folder, trials=trials, resources=resources)
    with small_disk(folder / "runs") as disk:
        ballast = fill(disk)
        codes = [victim.finish()]
        ballast.unlink()
        victim.start()
        victim.wait_for("stored", stored)
        ballast = fill(disk)
        codes.append(_code(victim))
        before = _reports(victim)
        ballast.unlink()
        codes.append(victim.finish())
        kept = all(report in _reports(victim) for report in before)
        return {
            "trials": len(victim.records()),
            "asked": trials,
            "exits": codes,
            "sentences": sentences(victim),
            "tracebacks": victim.log.read_text().count("Traceback"),
            "reports_when_full": len(before),
            "kept": kept,
            "disagreements": disagreements(victim),
        }


def sentences(victim: Victim) -> list[str]:
    """What the command said in red, without the place."""
    lines = victim.log.read_text().splitlines()
    return [line.replace(f"{victim.folder}/", "") for line in lines if line.startswith("error: ")]


def _code(victim: Victim) -> int:
    assert victim.driver is not None
    return victim.driver.wait(240)


def _reports(victim: Victim) -> list[tuple[int, int]]:
    """Trial and epoch of every report in the ledger."""
    return [
        (record.number, int(report["epoch"]))
        for record in victim.records()
        for report in record.reports
    ]


def misses(row: dict[str, Any]) -> list[str]:
    """Promises that did not hold, in words."""
    checks = {
        "another exit than 2, 2, 0": row["exits"] == [2, 2, 0],
        "not one sentence each": len(row["sentences"]) == 2,
        "a traceback": row["tracebacks"] == 0,
        "the disk was full before anything was stored": row["reports_when_full"] > 0,
        "a report was lost": row["kept"],
        "another number of trials": row["trials"] == row["asked"],
    }
    return [words for words, held in checks.items() if not held] + row["disagreements"]
