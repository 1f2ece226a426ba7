"""Syne Tune's MOASHA as an arm, in a virtual environment that is made for it."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optuna.distributions import CategoricalDistribution, FloatDistribution
from ray.tune.schedulers import TrialScheduler

from benchmarks.search.arms import CLEAN, ROBUST, MakeArm, config_of
from search_spaces import SEARCH_SPACES, explore
from tuner.records import Metrics
from tuner.simulation.engine import Arm, SimulatedTrial
from tuner.study import StudyConfig

VERSION = "syne-tune==0.16.0"
PLACE = Path("runs/syne-tune")
SERVER = Path(__file__).with_name("moasha_server.py")


def install() -> Path:
    """Python of an environment that has Syne Tune."""
    python = PLACE / "bin" / "python"
    if not (PLACE / ".ready").is_file():
        subprocess.run([sys.executable, "-m", "venv", PLACE], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", VERSION], check=True)
        (PLACE / ".ready").touch()
    return python


class SyneTuneArm:
    """MOASHA with its own random search, as shipped or with the rank repaired."""

    def __init__(self, study: StudyConfig, seed: int, *, repaired: bool, grace_period: int) -> None:
        self._study, self._left = study, study.trials
        self.searcher = self.scheduler = self
        self._process = subprocess.Popen(
            [install(), SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        setup = {
            "seed": seed,
            "space": _space(study),
            "metrics": [CLEAN, ROBUST],
            "epochs": study.base.epochs,
            "grace_period": grace_period,
            "reduction_factor": 3,
            "repaired": repaired,
        }
        self._write(setup)

    def _write(self, content: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(content) + "\n")
        self._process.stdin.flush()

    def _ask(self, verb: str, number: int, content: Any = None) -> Any:
        self._write([verb, number, content])
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def suggest(self, trial_id: str) -> Any:
        """A random config."""
        if not self._left:
            return "FINISHED"
        self._left -= 1
        return self._ask("suggest", int(trial_id))

    def config(self, suggested: Mapping[str, Any]) -> Mapping[str, Any]:
        """Syne Tune knows no conditions: parameters of a term that is off are dropped here."""
        return config_of(self._study, suggested)

    def result(self, report: Metrics, *, done: bool) -> dict[str, Any]:
        """The objectives and the epoch."""
        names = ("epoch", CLEAN, ROBUST)
        return {**{name: report[name] for name in names}, "done": done}

    def on_trial_add(self, controller: Any, trial: SimulatedTrial) -> None:
        """Done when it was suggested."""

    def on_trial_result(self, controller: Any, trial: SimulatedTrial, result: Any) -> str:
        """What MOASHA says."""
        answer = self._ask("result", int(trial.trial_id), result)
        stop = answer.rpartition(".")[2].upper() == "STOP"
        return str(TrialScheduler.STOP if stop else TrialScheduler.CONTINUE)

    def ended(self, trial: SimulatedTrial, result: dict[str, Any], *, stopped: bool) -> None:
        """MOASHA is told of complete trials; those that it stopped, it knows."""
        if not stopped:
            self._ask("complete", int(trial.trial_id), result)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


def _space(study: StudyConfig) -> dict[str, list[Any]]:
    space = SEARCH_SPACES[study.search_space]
    found: dict[str, list[Any]] = {}
    for name, distribution in explore(space, teachers=sorted(study.teachers)).items():
        if isinstance(distribution, CategoricalDistribution):
            found[name] = ["choice", *distribution.choices]
        else:
            assert isinstance(distribution, FloatDistribution)
            kind = "log" if distribution.log else "uniform"
            found[name] = [kind, distribution.low, distribution.high]
    return found


def syne_tune(*, repaired: bool, grace_period: int = 2) -> MakeArm:
    """MOASHA, shipped or repaired."""

    def make(study: StudyConfig, slots: int, seed: int) -> Arm:  # noqa: ARG001
        return SyneTuneArm(study, seed, repaired=repaired, grace_period=grace_period)

    return make
