"""What a team has: its services, three Ray nodes, and a study on them."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.crashes.driver import STUDY, Victim
from benchmarks.services.ray_nodes import Nodes
from benchmarks.services.together import Services, services
from tuner.ledger import read_records
from tuner.records import TrialState

NODES = 3
CHANGES: dict[str, Any] = {
    "name": "cluster",
    "base": {
        **STUDY["base"],
        "data": {"name": "digits", "batch_size": 100},
        "attack": {"steps": 5, "batch_norm": "eval"},
        "optimizer": {"name": "adamw", "learning_rate": 0.005, "weight_decay": 0.001},
        "epochs": 8,
    },
    "sampler": {"startup_trials": 8},
    "scheduler": {"name": "halving", "grace_period": 2, "reduction_factor": 2},
    "resources": {"cpus": 1, "max_concurrent": NODES, "max_failures": 3},
}
"""Laid over the small study that the crash tests kill."""


@dataclass
class Team:
    """All of it, running."""

    services: Services
    nodes: Nodes
    study: Victim

    @property
    def command(self) -> tuple[str, ...]:
        """The command that starts the study, and goes on with it."""
        return ("run", str(self.study.file), "--address", self.nodes.address)

    def ended(self) -> int:
        """How many trials have ended."""
        directory = self.study.directory
        if not directory.config.is_file():
            return 0
        records = read_records(directory.study(), directory.path)
        return sum(record.state != TrialState.running for record in records)


@contextmanager
def team(folder: Path, *, trials: int) -> Iterator[Team]:
    """Start everything but the study; stop it at the end, in whatever state it is.

    From here on, our own environment holds what lets us in.
    """
    with ExitStack() as stack:
        ours = stack.enter_context(services())
        study = Victim(folder, **{**CHANGES, **ours.settings, "trials": trials})
        stack.callback(_end, study)
        nodes = stack.enter_context(Nodes(NODES, study.environment))
        os.environ.update({**nodes.environment, **ours.postgres.environment})
        yield Team(ours, nodes, study)


def _end(study: Victim) -> None:
    if study.alive:
        study.kill_driver()
