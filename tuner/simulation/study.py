"""A whole study in simulation: its own search behind Ray's protocol, its ledger in memory."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna

from tuner.records import Metrics
from tuner.search.scheduler import LedgerScheduler
from tuner.search.search import Search
from tuner.search.searcher import LedgerSearcher
from tuner.search.warm_start import Earlier
from tuner.simulation.curves import SECONDS, Curves
from tuner.simulation.engine import Cluster, SimulatedTrial, Simulation
from tuner.storage.directory import StudyDirectory
from tuner.storage.ledger import Ledger
from tuner.study import StudyConfig


class StudyArm:
    """A study as it would really run, its ledger in memory."""

    def __init__(self, study: StudyConfig, *, slots: int, earlier: Earlier | None = None) -> None:
        storage = optuna.storages.InMemoryStorage()
        self.ledger = Ledger(study, Path(), storage)
        patience = float("inf")
        self.search = Search(study, self.ledger, earlier=earlier, patience=patience)
        nowhere = StudyDirectory(Path("simulated"))
        self.searcher = LedgerSearcher(self.search, nowhere, at_once=slots)
        self.scheduler = LedgerScheduler(self.search)

    def config(self, suggested: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a trial would be given."""
        config: Mapping[str, Any] = suggested["trial"]
        return config

    def result(self, report: Metrics, *, done: bool) -> dict[str, Any]:
        """As ``DistillationTrainable`` reports, flattened as Ray does."""
        flat = {f"report/{name}": value for name, value in report.items() if name != SECONDS}
        return {**flat, "failure": "", "done": done}

    def ended(self, trial: SimulatedTrial, result: dict[str, Any], *, stopped: bool) -> None:
        """What the recorder does: Ray does not show its scheduler a last epoch."""
        report = {
            name.removeprefix("report/"): value
            for name, value in result.items()
            if name.startswith("report/")
        }
        self.search.report(trial.config["number"], report, done=True)
        self.searcher.on_trial_complete(trial.trial_id, result)


def simulate(
    study: StudyConfig,
    cluster: Cluster,
    curves: Curves,
    *,
    seed: int = 0,
    seconds: float = float("inf"),
    earlier: Earlier | None = None,
) -> tuple[Simulation, StudyArm]:
    """Run a whole study on simulated slots.

    Raises:
        ValueError: if the curves are of another task.
    """
    curves.require(study.base)
    arm = StudyArm(study, slots=cluster.slots, earlier=earlier)
    simulation = Simulation(arm, cluster, curves.run, seed=1000 * seed)
    simulation.until(seconds)
    return simulation, arm
