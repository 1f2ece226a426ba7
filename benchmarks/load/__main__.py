"""A study under load and among faults: ``python -m benchmarks.load [--only mlflow]``.

Five parts, each on its own or all in turn: an MLflow server that is killed while it takes 1,000
trials, 200 trials at the same time, a disk that refuses every 20th write, a full disk, and the
driver's memory. Servers and disks are real, the driver is that of a real run. Prints a table,
writes JSON, and fails if a promise does not hold.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.load import crowd, failing, full, memory, outage
from tuner.plain_console import PlainConsole
from tuner.storage.atomic import write_atomically

Row = dict[str, Any]
Part = Callable[[argparse.Namespace, Path], tuple[Row, list[str]]]


def mlflow(options: argparse.Namespace, _: Path) -> tuple[Row, list[str]]:
    """One MLflow server, killed four times."""
    row = outage.measure(options.trials, options.epochs)
    return row, outage.misses(row)


def concurrent(options: argparse.Namespace, _: Path) -> tuple[Row, list[str]]:
    """Many trials at the same time."""
    row = crowd.measure(2 * options.slots, options.slots, options.storage)
    return row, crowd.misses(row)


def storage(_: argparse.Namespace, folder: Path) -> tuple[Row, list[str]]:
    """A disk that fails now and then."""
    row = failing.measure(folder / "failing", trials=40, every=20)
    return row, failing.misses(row)


def disk(options: argparse.Namespace, folder: Path) -> tuple[Row, list[str]]:
    """A disk that is full."""
    row = full.measure(folder / "full", trials=options.small)
    return row, full.misses(row)


def memory_of(options: argparse.Namespace, _: Path) -> tuple[Row, list[str]]:
    """The driver after ever more trials."""
    sizes = sorted({10, 100, options.trials})
    rows = [memory.measure(size, options.epochs) for size in sizes]
    row = {"studies": rows, "kilobytes_per_trial": memory.slope(rows)}
    return row, memory.misses(row)


PARTS: dict[str, Part] = {
    "mlflow": mlflow,
    "concurrent": concurrent,
    "storage": storage,
    "disk": disk,
    "memory": memory_of,
}


def about(options: argparse.Namespace) -> Row:
    """What a part was measured with."""
    asked = ["git", "rev-parse", "HEAD"]
    commit = subprocess.run(asked, capture_output=True, text=True, check=False)
    return {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "load": round(os.getloadavg()[0], 1),
        "commit": commit.stdout.strip(),
        "options": {name: str(value) for name, value in vars(options).items()},
    }


def table(report: Row) -> Table:
    """A line per number."""
    shown = Table(box=None, title="Under load and among faults", title_justify="left")
    for column in ("part", "what", "value"):
        shown.add_column(column, overflow="fold")
    for part, found in report.items():
        for name, value in found["row"].items():
            shown.add_row(part, name.replace("_", " "), _text(value))
        shown.add_row(part, "missed", _text(found["missed"] or "nothing"))
    return shown


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value).replace('"', "")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--only", choices=PARTS, action="append", help="a part; may be repeated")
    parser.add_argument("--trials", type=int, default=1000, help="of mlflow and memory")
    parser.add_argument("--epochs", type=int, default=20, help="reports of each of them")
    parser.add_argument("--slots", type=int, default=200, help="of concurrent, of twice as many")
    parser.add_argument("--storage", help="of concurrent; default: a journal file")
    parser.add_argument("--small", type=int, default=6, help="trials of disk")
    parser.add_argument("--json", type=Path, default=Path("runs/bench-load.json"))
    return parser.parse_args()


def main() -> None:
    """Measure the parts, keep what is known of the others, fail if a promise does not hold."""
    options = _arguments()
    before = json.loads(options.json.read_text()) if options.json.is_file() else {}
    done: Row = {}
    for name in options.only or PARTS:
        folder = Path(tempfile.mkdtemp(prefix="tuner-load-"))
        row, missed = PARTS[name](options, folder)
        done[name] = {"about": about(options), "row": row, "missed": missed}
        if not missed:
            shutil.rmtree(folder)
        write_atomically(options.json, json.dumps({**before, **done}, indent=1) + "\n")
    PlainConsole().print(table(done))
    print(f"written: {options.json}")
    if missed := [f"{name}: {words}" for name, found in done.items() for words in found["missed"]]:
        raise SystemExit("; ".join(missed))


if __name__ == "__main__":
    main()
