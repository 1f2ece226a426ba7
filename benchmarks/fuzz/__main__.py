"""Reads hostile files: ``python -m benchmarks.fuzz --inputs 100000 --seed 0``.

Every input is a valid file of some kind with damage done to it, and is read as the product reads
it. It has to end in a valid object, or in one sentence (ValueError or OSError, a line of at most
1,000 characters), within 5 s of processor time and 512 MB; no code of the input may run, and
nothing outside the folder of the input be read or written. Everything else is a fault.

Writes runs/bench-fuzz.json, and the inputs that are faults beside it.
"""

import argparse
import json
import multiprocessing
import os
import platform
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.fuzz.targets import TARGETS
from benchmarks.fuzz.verdicts import Verdict
from benchmarks.fuzz.worker import made, work
from tuner.atomic import write_atomically

PATIENCE = 120.0
"""Seconds of wall time after which an input counts as one that hangs."""
KEPT = 5
"""Inputs kept of every kind of fault."""


def main() -> None:
    options = _options()
    whole = sum(target.weight for name, target in TARGETS.items() if name in options.only)
    shares = {n: -(-options.inputs * TARGETS[n].weight // whole) for n in options.only}
    start = time.monotonic()
    with ThreadPoolExecutor(options.processes) as pool:
        run = lambda item: Run(*item, options.seed, options.output.parent / "fuzz-faults")  # noqa: E731
        runs = list(pool.map(lambda item: run(item).finish(), shares.items()))
    content = {
        "command": f"python -m benchmarks.fuzz --inputs {options.inputs} --seed {options.seed}",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "seconds": round(time.monotonic() - start),
        "targets": {run.name: run.as_json() for run in runs},
    }
    write_atomically(options.output, json.dumps(content, indent=1) + "\n")
    _show(runs)
    print(f"figures: {options.output}")
    if any(run.faults for run in runs):
        raise SystemExit(1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=list(TARGETS), default=list(TARGETS))
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("runs/bench-fuzz.json"))
    return parser.parse_args()


class Run:
    """All inputs of one kind of file."""

    def __init__(self, name: str, inputs: int, seed: int, faults: Path) -> None:
        self.name, self.inputs, self.seed, self._folder = name, inputs, seed, faults
        self.accepted, self.seconds = 0, 0.0
        self.refused: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()

    def finish(self) -> "Run":
        """Read all inputs, in as many processes as are killed."""
        start, number = time.monotonic(), 0
        while number < self.inputs:
            number = self._some(number)
        self.seconds = time.monotonic() - start
        return self

    def _some(self, first: int) -> int:
        """Read inputs until one kills the process, or none is left; the next number."""
        context = multiprocessing.get_context("spawn")
        receive, send = context.Pipe(duplex=False)
        with TemporaryDirectory(prefix="fuzz-") as sandbox:
            place = Path(sandbox).resolve()
            numbers = range(first, self.inputs)
            process = context.Process(
                target=work, args=(self.name, self.seed, place, numbers, send)
            )
            process.start()
            send.close()
            begun = first - 1
            for number, verdict in _reports(receive):
                begun = number
                if verdict is not None:
                    self._count(number, verdict)
                    begun = number + 1 if number + 1 == self.inputs else number
            done = begun >= self.inputs
            if not done:
                self._lost(process, begun)
            process.join(PATIENCE)
            process.kill()
        return self.inputs if done else begun + 1

    def _lost(self, process: Any, number: int) -> None:
        if number < 0 or not self.inputs:
            raise RuntimeError(f"the process of {self.name} does not begin")
        process.join(1)
        how = "hangs" if process.is_alive() else f"the process dies ({process.exitcode})"
        process.kill()
        self._count(number, Verdict("fault", how))

    def _count(self, number: int, verdict: Verdict) -> None:
        if verdict.kind == "accepted":
            self.accepted += 1
        elif verdict.kind == "refused":
            self.refused[verdict.why] += 1
        else:
            self.faults[verdict.why] += 1
            if self.faults[verdict.why] <= KEPT:
                self._keep(number, verdict)

    def _keep(self, number: int, verdict: Verdict) -> None:
        target = TARGETS[self.name]
        place = self._folder / self.name.replace(" ", "-") / str(number)
        shutil.rmtree(place, ignore_errors=True)
        write_atomically(place / target.file, made(target, self.name, self.seed, number))
        write_atomically(place / "why.txt", f"{verdict.why}\n")

    def as_json(self) -> dict[str, Any]:
        """All counts."""
        return {
            "inputs": self.inputs,
            "seconds": round(self.seconds, 1),
            "accepted": self.accepted,
            "refused": self.refused.total(),
            "faults": self.faults.total(),
            "refused_as": dict(self.refused.most_common(100)),
            "faults_as": dict(self.faults.most_common()),
        }


def _reports(receive: Any) -> Iterator[tuple[int, Verdict | None]]:
    """Until the process says that it has ended, is killed, or says nothing for too long."""
    while receive.poll(PATIENCE):
        try:
            report = receive.recv()
        except EOFError:
            return
        if report is None:
            return
        yield report


def _show(runs: list[Run]) -> None:
    print(f"{'':22}{'inputs':>8}{'seconds':>9}{'accepted':>10}{'refused':>9}{'faults':>8}")
    for run in runs:
        counts = run.accepted, run.refused.total(), run.faults.total()
        print(f"{run.name:22}{run.inputs:8}{run.seconds:9.1f}" + "{:10}{:9}{:8}".format(*counts))
        for why, number in run.faults.most_common():
            print(f"    {number:6}  {why}")


if __name__ == "__main__":
    main()
