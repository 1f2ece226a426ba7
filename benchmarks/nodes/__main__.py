"""Nodes that come and go: ``python -m benchmarks.nodes``; needs root on Linux.

One study of two trials at a time runs on three nodes, each in a network namespace of its own,
under Ray's own settings. A node is cut off for 5 s and for 30 s, killed, taken away with notice,
and cut off for good; whenever one is lost, another joins. In the end the study has to be whole,
and the node that was cut off must have written nothing since its trial went on elsewhere.
"""

import argparse
import json
import os
import platform
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.crashes.agreement import disagreements
from benchmarks.nodes.cluster import Cluster, wait_until
from benchmarks.nodes.events import Blow, Cost, cut_for, endure, give_notice
from benchmarks.nodes.network import obstacle
from benchmarks.nodes.study import Study
from tuner.storage.atomic import write_atomically

NODES = 3
TRIALS, EPOCHS = 6, 150
NOTICE = 15
"""Seconds between a spot machine's notice and its end."""


class Weather:
    """What happens to the nodes of a study, one thing after the other."""

    def __init__(self, cluster: Cluster, study: Study, say: Callable[[str], None]) -> None:
        self.cluster, self.study, self._say = cluster, study, say
        self.costs: list[Cost] = []
        self._names = iter(["west", "up", "down"])

    def come(self) -> None:
        """All of it."""
        self.cluster.add("north", "east", "south")
        self._say("three nodes; the study begins")
        self.study.start_on(self.cluster)
        wait_until(lambda: len({e.node for e in self.study.traced("saved")}) > 1, "two nodes train")
        cut, kill = self.cluster.network.cut, self.cluster.kill
        self._endure(Blow("cut off for 5 s", cut_for(self.cluster, 5), lost=False))
        self._endure(Blow("cut off for 30 s", cut_for(self.cluster, 30), lost=False))
        self._endure(Blow("killed", kill))
        self._endure(Blow(f"killed {NOTICE} s after a notice", kill, prepare=self._give_notice))
        self._endure(Blow("cut off for good", cut))

    def _endure(self, blow: Blow) -> None:
        """Two nodes train and one waits; the newest checkpoint's node is struck."""
        while len(self.cluster.nodes) < NODES:
            name = next(self._names)
            self.cluster.add(name)
            self._say(f"node {name} has joined")
        cost = endure(self.study, blow)
        self._say(f"{blow.name}: trial {cost.trial} goes on after {cost.seconds:.0f} s")
        self.costs.append(cost)

    def _give_notice(self, node: str) -> None:
        give_notice(self.cluster, node, NOTICE)
        time.sleep(NOTICE)


def weathered(folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Run the study; costs of the events, and every promise that does not hold."""
    resources = {"cpus": 1, "max_concurrent": 2, "max_failures": 3}
    study = Study(folder, epochs=EPOCHS, attack_steps=1, trials=TRIALS, resources=resources)
    with Cluster({**os.environ, **study.environment}) as cluster:
        weather = Weather(cluster, study, say)
        try:
            weather.come()
            code = study.wait()
        finally:
            study.stop()
    began, reported = study.traced("begun"), study.records()
    return {
        "costs": [cost._asdict() for cost in weather.costs],
        "nodes": sorted({event.node for event in began}),
        "trials": len(reported),
        "epochs": {"begun": len(began), "reported": sum(len(r.reports) for r in reported)},
        "exit_code": code,
        "disagreements": disagreements(study),
        "written_out_of_turn": study.written_out_of_turn(),
    }


def table(costs: list[dict[str, Any]]) -> Table:
    """What every event cost."""
    shown = Table("a node that trains is", "its trial goes on after", "on", "epochs again")
    for cost in costs:
        shown.add_row(cost["event"], f"{cost['seconds']:.0f} s", cost["where"], str(cost["epochs"]))
    return shown


def main() -> None:
    """Run it, show it, keep it; fail if anything was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/nodes"), help="of the study")
    options = parser.parse_args()
    if reason := obstacle():
        raise SystemExit(reason)
    console, began = Console(), time.monotonic()
    shutil.rmtree(options.folder, ignore_errors=True)

    def say(text: str) -> None:
        console.print(f"{time.monotonic() - began:5.0f} s  {text}", highlight=False)

    found = weathered(options.folder.resolve(), say)
    seconds = round(time.monotonic() - began)
    report = {"machine": f"{platform.machine()}, {os.cpu_count()} cores", "seconds": seconds}
    path = options.folder.with_name("bench-nodes.json")
    write_atomically(path, json.dumps({**report, **found}, indent=1) + "\n")
    console.print(table(found["costs"]))
    wrong = [*found["disagreements"], *found["written_out_of_turn"]]
    console.print(
        f"{found['trials']} trials, {found['epochs']['begun']} epochs begun for "
        f"{found['epochs']['reported']} reported; {len(wrong)} lost, doubled or out of turn"
    )
    console.print(f"kept in {path}")
    if wrong or found["exit_code"]:
        raise SystemExit("\n".join(wrong) or f"the driver ended with code {found['exit_code']}")


if __name__ == "__main__":
    main()
