"""What a team has: its services, three Ray nodes, and a study on them whose directory is a URL."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.crashes.driver import STUDY, Victim
from benchmarks.services.ray_nodes import Nodes
from benchmarks.services.together import Services, services
from tuner.records import TrialState
from tuner.storage.ledger import read_records
from tuner.study_names import directory_at

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
        return (*self.study.command, "--address", self.nodes.address)

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
        settings = {**CHANGES, **ours.settings, "trials": trials}
        study = Victim(folder, url=ours.bucket.url("runs/cluster"), **settings)
        stack.callback(_end, study)
        keys = {**study.environment, **ours.bucket.environment}
        nodes = stack.enter_context(Nodes(NODES, keys))
        os.environ.update({**nodes.environment, **ours.postgres.environment})
        os.environ["TUNER_CACHE"] = str(folder / "cache")
        yield Team(ours, nodes, study)


def look_from_elsewhere(ours: Team) -> None:
    """Bring the study here as another machine would: nothing but the bucket is known there."""
    os.environ["TUNER_CACHE"] = str(ours.study.folder / "elsewhere")
    directory_at(ours.study.url)


def _end(study: Victim) -> None:
    if study.alive:
        study.kill_driver()
