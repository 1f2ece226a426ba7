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
import multiprocessing.connection
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.fuzz.tally import Tally, table
from benchmarks.fuzz.targets import TARGETS
from benchmarks.fuzz.verdicts import Verdict
from benchmarks.fuzz.worker import Input, work
from tuner.storage.atomic import write_atomically

PATIENCE = 180.0
"""Seconds of wall time after which an input counts as one that hangs."""


def main() -> None:
    options = _options()
    inputs = spread(options.inputs, options.seed, options.only)
    tallies = {name: Tally(name, options.output.parent / "fuzz-faults") for name in options.only}
    start = last = time.monotonic()
    for one, verdict in read_all(inputs):
        now = time.monotonic()
        tallies[one.target].count(one, verdict, now - last)
        last = now
        if options.minutes and now - start > 60 * options.minutes:
            break
    content = {
        "command": f"python -m benchmarks.fuzz --inputs {options.inputs} --seed {options.seed}",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "seconds": round(time.monotonic() - start),
        "inputs": sum(tally.inputs for tally in tallies.values()),
        "targets": {name: tally.as_json() for name, tally in tallies.items()},
    }
    write_atomically(options.output, json.dumps(content, indent=1) + "\n")
    print(table(tallies.values()))
    print(f"figures: {options.output}")
    if any(tally.faults for tally in tallies.values()):
        raise SystemExit(1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=list(TARGETS), default=list(TARGETS))
    parser.add_argument("--minutes", type=float, help="end after so many; default: when done")
    parser.add_argument("--output", type=Path, default=Path("runs/bench-fuzz.json"))
    return parser.parse_args()


def spread(count: int, seed: int, names: list[str]) -> list[Input]:
    """Inputs of the targets by their weights, well mixed: any part of the list has all kinds."""
    whole = sum(TARGETS[name].weight for name in names)
    shares = {name: -(-count * TARGETS[name].weight // whole) for name in names}
    found = [
        ((number + 0.5) / share, Input(name, seed, number))
        for name, share in shares.items()
        for number in range(share)
    ]
    return [one for _, one in sorted(found)][:count]


def read_all(inputs: list[Input]) -> Iterator[tuple[Input, Verdict]]:
    """What becomes of every input, in as many processes as are killed by one."""
    while inputs:
        done = 0
        for place, verdict in _in_a_process(inputs):
            yield inputs[place], verdict
            done = place + 1
        inputs = inputs[done:]


def _in_a_process(inputs: list[Input]) -> Iterator[tuple[int, Verdict]]:
    """Read inputs until one kills the process or hangs it, or all are read."""
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    with TemporaryDirectory(prefix="fuzz-") as sandbox:
        process = context.Process(target=work, args=(inputs, Path(sandbox).resolve(), send))
        process.start()
        send.close()
        begun = -1
        try:
            while (report := _report(receive)) is not None:
                begun, verdict = report
                if verdict is not None:
                    yield begun, verdict
            if begun < len(inputs) - 1 or verdict is None:
                assert begun >= 0, "the process does not begin"
                process.join(1)
                how = "hangs" if process.is_alive() else f"dies ({process.exitcode})"
                yield begun, Verdict("fault", f"the process {how}")
        finally:
            process.kill()
            process.join()


def _report(receive: multiprocessing.connection.Connection) -> tuple[int, Verdict | None] | None:
    """The next one; None if the process has ended, was killed, or says nothing for too long."""
    try:
        found: tuple[int, Verdict | None] | None = (
            receive.recv() if receive.poll(PATIENCE) else None
        )
    except EOFError:
        return None
    return found


if __name__ == "__main__":
    main()
