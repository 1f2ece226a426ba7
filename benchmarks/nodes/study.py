"""A study whose driver runs on the head, and what its trace says of epochs and nodes."""

import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.crashes.driver import STUDY, Victim
from benchmarks.nodes.cluster import Cluster
from benchmarks.nodes.network import HUB

EPOCHS = 5
LONG = {**STUDY["base"], "epochs": EPOCHS, "attack": {"steps": 4, "batch_norm": "eval"}}
CHANGES: dict[str, Any] = {
    "name": "nodes",
    "trials": 6,
    "base": LONG,
    "scheduler": {"name": "fifo"},  # every trial has all its epochs
    "tracking": {"enabled": False},
}


class Event(NamedTuple):
    """A line of the trace: a process has begun, saved or stored an epoch.

    Attributes:
        kind: ``begun`` (the number of epochs before it), ``saved`` or ``stored``.
        time: seconds since 1970.
    """

    kind: str
    trial: int
    epoch: int
    time: float
    node: str


class Study(Victim):
    """A study on a cluster.

    Args:
        folder: shared by all nodes.
        changes: laid over ``CHANGES``.
    """

    def __init__(self, folder: Path, **changes: Any) -> None:
        super().__init__(folder, **{**CHANGES, **changes})

    def start_on(self, cluster: Cluster, *options: str) -> None:
        """Start the driver on the head."""
        command = [sys.executable, "-m", "tuner", "run", str(self.file)]
        place = ("--directory", str(self.directory.path), "--address", cluster.address, *options)
        named = {**cluster.environment, "CRASH_NODE": "driver"}
        self.driver = cluster.network.start(HUB, [*command, *place], named, self.log)

    def trained(self, kind: str) -> list[Event]:
        """What the trace says of one kind."""
        return [
            Event(kind, int(trial), int(epoch), float(time), node)
            for was, trial, epoch, *_, time, node in self.events()
            if was == kind
        ]

    def wait(self, patience: float = 300) -> int:
        """Wait for the driver to end; its exit code."""
        assert isinstance(self.driver, subprocess.Popen)
        return self.driver.wait(patience)
