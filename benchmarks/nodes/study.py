"""A study whose driver runs on the head, and what its trace says of epochs and nodes."""

import sys
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.crashes.driver import STUDY, Victim
from benchmarks.nodes.cluster import Cluster
from benchmarks.nodes.network import HUB

ALONE = dict.fromkeys(
    [f"alignments/{name}" for name in ("logits", "covariance", "gram", "input_gradient")], False
)
CHANGES: dict[str, Any] = {
    "name": "nodes",
    "teachers": {},
    "fixed": ALONE,  # nobody needs a teacher, so the first trial begins soon
    "scheduler": {"name": "fifo"},  # every trial has all its epochs
    "tracking": {"enabled": False},
}


class Event(NamedTuple):
    """A line of the trace: what a process has done with an epoch.

    Attributes:
        kind: ``begun`` (with the epochs before it), ``saved``, ``refused`` or ``stored``.
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
        folder: where ``runs/`` is to be; seen by all nodes.
        epochs: of every trial.
        attack_steps: of training; more make an epoch longer.
        changes: laid over ``CHANGES``.
    """

    def __init__(self, folder: Path, *, epochs: int, attack_steps: int, **changes: Any) -> None:
        self.epochs = epochs
        attack = {**STUDY["base"]["attack"], "steps": attack_steps}
        base = {**STUDY["base"], "epochs": epochs, "attack": attack}
        super().__init__(folder, **{**CHANGES, "base": base, **changes})

    def start_on(self, cluster: Cluster) -> None:
        """Start the driver on the head."""
        command = [sys.executable, "-m", "tuner", "run", str(self.file)]
        place = ("--directory", str(self.directory.path), "--address", cluster.address)
        named = {**cluster.environment, "CRASH_NODE": "driver"}
        self.driver = cluster.network.start(HUB, [*command, *place], named, self.log)

    def wait(self, patience: float = 600) -> int:
        """Wait for the driver to end by itself; its exit code."""
        assert self.driver is not None
        return self.driver.wait(patience)

    def stop(self) -> None:
        """SIGKILL the driver, if it is still there."""
        if self.driver is not None and self.alive:
            self.driver.kill()
            self.driver.wait()

    def traced(self, kind: str) -> list[Event]:
        """What the trace says of one kind."""
        lines = [(was, numbers, time, node) for was, *numbers, time, node in self.events()]
        return [
            Event(kind, int(numbers[0]), int(numbers[1]), float(time), node)
            for was, numbers, time, node in lines
            if was == kind
        ]

    def newest(self) -> Event:
        """The last epoch that was saved."""
        return self.traced("saved")[-1]

    def written_out_of_turn(self) -> list[str]:
        """Checkpoints that a node wrote after the trial had begun an epoch on another one."""
        begun = self.traced("begun")
        found = []
        for saved in self.traced("saved"):
            before = [e for e in begun if e.trial == saved.trial and e.time <= saved.time]
            if before and before[-1].node != saved.node:
                found.append(f"{saved.node} wrote epoch {saved.epoch} of trial {saved.trial}")
        return found

    def trained_again(self) -> int:
        """Epochs that were begun more than once, over all trials."""
        begun = [(event.trial, event.epoch) for event in self.traced("begun")]
        return len(begun) - len(set(begun))
