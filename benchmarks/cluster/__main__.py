"""The whole of it at once: ``python -m benchmarks.cluster``.

A study of digits over three Ray nodes that share nothing but a bucket: the study's directory and
MLflow's artifacts lie there, Optuna's and MLflow's records in PostgreSQL. While it runs, a node is
killed and another joins, MLflow is killed and started again, PostgreSQL is restarted, and the
driver is killed and started again. At the end the ledger, the files, MLflow and the bucket have to
agree, with exactly the trials that were asked for.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import time
from pathlib import Path

from rich.table import Table

from benchmarks.cluster.course import Course, Event, add_costs, as_json
from benchmarks.cluster.team import look_from_elsewhere, team
from benchmarks.services.findings import findings
from tuner.running.time_left import clock
from tuner.storage.atomic import write_atomically
from tuner.terminal import console


def demonstrate(folder: Path, trials: int) -> tuple[list[Event], list[str]]:
    """Run it.

    Returns:
        What happened, and what does not hold.

    Raises:
        ConnectionError: if a service does not start, or the study does not end.
    """
    began = time.monotonic()
    console.print("starting PostgreSQL, an S3 server, an MLflow server and three Ray nodes")
    with team(folder, trials=trials) as ours:
        course = Course(ours, lambda event: say(event, trials), began)
        course.run(trials)
        look_from_elsewhere(ours)
        wrong = findings(ours.services, ours.study, ours.nodes.folder)
        add_costs(course.events, ours.study.records(), ours.study.events())
        return course.events, wrong


def say(event: Event, trials: int) -> None:
    """A line as it happens."""
    console.print(f"{clock(event.seconds)}  {event.ended:3d} of {trials} trials  {event.what}")


def table(events: list[Event]) -> Table:
    """What happened when, and what it cost."""
    shown = Table("time", "trials", "what happened", "what it cost", box=None)
    for event in events:
        shown.add_row(clock(event.seconds), str(event.ended), event.what, event.cost)
    return shown


def main() -> None:
    """Run the demonstration; exit code 1 if anything was lost, doubled or leaked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=36, help="of the study, at least 12")
    parser.add_argument("--folder", type=Path, default=Path("runs/cluster"), help="of the study")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: stop what we started
    folder = options.folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    try:
        events, wrong = demonstrate(folder, options.trials)
    except KeyboardInterrupt:
        console.print("stopped, with everything that was started")
        raise SystemExit(130) from None
    except ConnectionError as error:
        console.print(f"error: {error}", style="red", markup=False, soft_wrap=True)
        raise SystemExit(1) from None
    report(events, wrong, options)


def report(events: list[Event], wrong: list[str], options: argparse.Namespace) -> None:
    """Show and write down what came of it."""
    console.print(table(events))
    for line in wrong:
        console.print(line, style="red", markup=False, soft_wrap=True)
    verdict = "FAILED" if wrong else "passed: nothing is lost, doubled or leaked"
    console.print(f"{verdict}; {clock(events[-1].seconds)} in all")
    file = options.folder.with_name("bench-cluster.json")
    content = {
        "trials": options.trials,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "events": as_json(events),
        "wrong": wrong,
    }
    write_atomically(file, json.dumps(content, indent=1) + "\n")
    console.print(f"details: {file}; the study: {options.folder}", soft_wrap=True)
    if wrong:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
