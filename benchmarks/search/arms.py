"""The ways to search that are compared: ours, and what plain Ray offers."""

from collections.abc import Callable, Mapping
from typing import Any

import optuna
from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler
from ray.tune.search.optuna import OptunaSearch

from search_spaces import SEARCH_SPACES, sample
from tuner.records import Metrics
from tuner.search.proposals import resolve
from tuner.simulation.curves import SECONDS
from tuner.simulation.engine import Arm, SimulatedTrial
from tuner.simulation.study import StudyArm
from tuner.study import StudyConfig

CLEAN, ROBUST, MEAN = "val/clean_accuracy", "val/robust_accuracy", "mean"
MakeArm = Callable[[StudyConfig, int, int], Arm]
"""``make(study, slots, seed)``."""


class RayArm:
    """Ray's own searcher and scheduler, used as its documentation shows."""

    def __init__(self, study: StudyConfig, seed: int, scheduler: Any, slots: int) -> None:
        self._study, self._space = study, SEARCH_SPACES[study.search_space]
        self._teachers = sorted(study.teachers)
        self.searcher = Limited(
            OptunaSearch(self._define, metric=[CLEAN, ROBUST], mode=["max", "max"], seed=seed),
            slots,
            study.trials,
        )
        self.scheduler = scheduler

    def _define(self, trial: optuna.Trial) -> dict[str, Any]:
        renamed = _Renamed(trial)
        constants = self._space.suggest(renamed)
        if len(self._teachers) > 1:
            renamed.suggest_categorical("teacher", self._teachers)
        return constants

    def config(self, suggested: Mapping[str, Any]) -> Mapping[str, Any]:
        """The whole config; constants come from the space again."""
        params = {k.replace("|", "/"): v for k, v in suggested.items() if k != "method"}
        return config_of(self._study, params)

    def result(self, report: Metrics, *, done: bool) -> dict[str, Any]:
        """Metrics beside Ray's own counter of iterations."""
        metrics = {name: value for name, value in report.items() if name != SECONDS}
        mean = (report[CLEAN] + report[ROBUST]) / 2
        return {**metrics, MEAN: mean, "training_iteration": int(report["epoch"]), "done": done}

    def ended(self, trial: SimulatedTrial, result: dict[str, Any], *, stopped: bool) -> None:
        """What Ray's controller does, in its order."""
        if trial.complete:
            self.scheduler.on_trial_complete(None, trial, result)
        self.searcher.on_trial_complete(trial.trial_id, result)


class Limited:
    """At most so many trials in all; how many at once, the simulation's slots say."""

    def __init__(self, searcher: Any, slots: int, trials: int) -> None:
        self._searcher, self._left = searcher, trials
        self.on_trial_complete = searcher.on_trial_complete

    def suggest(self, trial_id: str) -> Any:
        """A suggestion, or Ray's word for the end."""
        if not self._left:
            return "FINISHED"
        self._left -= 1
        return self._searcher.suggest(trial_id)


class _Renamed:
    """A trial whose names Ray does not take apart at slashes: it cannot nest a switch."""

    def __init__(self, trial: optuna.Trial) -> None:
        self._trial = trial

    def suggest_float(self, name: str, low: float, high: float, **how: Any) -> float:
        return self._trial.suggest_float(name.replace("/", "|"), low, high, **how)

    def suggest_int(self, name: str, low: int, high: int, **how: Any) -> int:
        return self._trial.suggest_int(name.replace("/", "|"), low, high, **how)

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        return self._trial.suggest_categorical(name.replace("/", "|"), choices)


def config_of(study: StudyConfig, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """The whole config of flat parameters; those that a switched-off term would have are left."""
    trial = optuna.trial.FixedTrial(dict(params))
    space = SEARCH_SPACES[study.search_space]
    overrides = sample(space, trial, teachers=sorted(study.teachers))
    return resolve(study, overrides)[0].model_dump(mode="json")


def ours(**settings: Any) -> MakeArm:
    """Our own search with some settings of the study file."""

    def make(study: StudyConfig, slots: int, seed: int) -> Arm:
        content = study.model_dump(mode="json")
        sampler = {**content["sampler"], **settings.get("sampler", {}), "seed": seed}
        changed = {**content, **settings, "sampler": sampler}
        return StudyArm(StudyConfig.model_validate(changed), slots=slots)

    return make


def ray(metric: str | None = None, grace_period: int = 2) -> MakeArm:
    """Ray's OptunaSearch, alone or with Ray's ASHA on one metric."""

    def make(study: StudyConfig, slots: int, seed: int) -> Arm:
        scheduler: Any = FIFOScheduler()  # type: ignore[no-untyped-call]
        if metric:
            scheduler = AsyncHyperBandScheduler(
                metric=metric,
                mode="max",
                max_t=study.base.epochs,
                grace_period=grace_period,
                reduction_factor=3,
            )
        return RayArm(study, seed, scheduler, slots)

    return make
