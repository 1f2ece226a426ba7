"""The record of a study: an Optuna study in persistent storage; all else can be rebuilt from it.

Only the driver writes here. A trial's number is its identity; a trial that is running in the
ledger is unfinished, whatever became of the process that trained it.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial

from tuner.proposals import propose
from tuner.records import TrialRecord, TrialState
from tuner.study import StudyConfig

STATES: dict[optuna.trial.TrialState, TrialState] = {
    optuna.trial.TrialState.RUNNING: TrialState.running,
    optuna.trial.TrialState.WAITING: TrialState.running,
    optuna.trial.TrialState.COMPLETE: TrialState.complete,
    optuna.trial.TrialState.PRUNED: TrialState.stopped,
    optuna.trial.TrialState.FAIL: TrialState.failed,
}

ENDED_EARLY = {TrialState.stopped, TrialState.failed}

Reopen = Callable[[StudyConfig, Path], "Ledger"]


class Ledger:
    """The trials of one study.

    Raises:
        ValueError: if the storage holds a study of this name with other directions.
    """

    def __init__(self, study: StudyConfig, directory: Path) -> None:
        self._config, self._directory = study, directory
        self._storage = _open_storage(study, directory)
        directions = [objective.direction for objective in study.objectives]
        self._study = _open_study(study.name, self._storage, directions)
        found = [direction.name.lower() for direction in self._study.directions]
        if found != directions:
            raise ValueError(
                f"study {study.name!r} in {study.storage or directory} has directions {found}, "
                f"but the config asks for {directions}; choose another name"
            )

    def __reduce__(self) -> tuple[Reopen, tuple[StudyConfig, Path]]:
        """Pickled as the way to open it again: Ray snapshots whatever holds a ledger."""
        return Ledger, (self._config, self._directory)

    def __len__(self) -> int:
        return len(self._study.get_trials(deepcopy=False))

    def propose(self) -> int | None:
        """Enter the next trial as running and return its number; None if the study has them all."""
        trials = self._study.get_trials(deepcopy=False)
        if len(trials) >= self._config.trials:
            return None
        self._study.add_trial(propose(self._config, trials).as_running())
        return len(trials)

    def report(self, number: int, metrics: Mapping[str, float]) -> TrialRecord:
        """Store an epoch's metrics; the same epoch again replaces what was there."""
        report = {**metrics, "timestamp": int(time.time() * 1000)}
        self._set(number, f"report/{int(metrics['epoch']):05d}", report)
        return self.record(number)

    def complete(self, number: int) -> TrialRecord:
        """End a trial with the objectives of its last report.

        A trial without one of its objectives fails instead, with that reason.
        """
        record = self.record(number)
        metrics = [objective.metric for objective in self._config.objectives]
        missing = [metric for metric in metrics if metric not in record.metrics]
        if missing:
            return self.fail(number, f"no {missing[0]} in its last report")
        self._study.tell(number, [record.metrics[metric] for metric in metrics])
        return self.record(number)

    def fail(self, number: int, reason: str) -> TrialRecord:
        """End a trial as failed, in words."""
        self._set(number, "reason", reason)
        self._study.tell(number, state=optuna.trial.TrialState.FAIL)
        return self.record(number)

    def stop(self, number: int, reason: str) -> TrialRecord:
        """End a trial that was stopped early; it has no objectives."""
        self._set(number, "reason", reason)
        self._study.tell(number, state=optuna.trial.TrialState.PRUNED)
        return self.record(number)

    def _set(self, number: int, key: str, value: Any) -> None:
        trial = self._trial(number)
        self._storage.set_trial_user_attr(trial._trial_id, key, value)

    def _trial(self, number: int) -> FrozenTrial:
        return self._study.get_trials(deepcopy=False)[number]

    def record(self, number: int) -> TrialRecord:
        """One trial as it stands."""
        return self._record(self._trial(number))

    def records(self) -> list[TrialRecord]:
        """All trials in the order of their numbers."""
        return [self._record(trial) for trial in self._study.get_trials(deepcopy=False)]

    def unfinished(self) -> list[int]:
        """Numbers of the trials that were begun and did not end."""
        return [r.number for r in self.records() if r.state == TrialState.running]

    def _record(self, trial: FrozenTrial) -> TrialRecord:
        attributes = trial.user_attrs
        reports = tuple(attributes[key] for key in sorted(attributes) if key.startswith("report/"))
        metrics = [objective.metric for objective in self._config.objectives]
        return TrialRecord(
            number=trial.number,
            state=STATES[trial.state],
            label=attributes.get("label", "searched"),
            teacher=attributes.get("teacher", ""),
            config=attributes["config"],
            params=trial.params,
            reports=reports,
            values=dict(zip(metrics, trial.values, strict=True)) if trial.values else {},
            reason=attributes.get("reason", "") if STATES[trial.state] in ENDED_EARLY else "",
            started=trial.datetime_start.astimezone() if trial.datetime_start else None,
            ended=trial.datetime_complete.astimezone() if trial.datetime_complete else None,
        )


def _open_study(
    name: str, storage: BaseStorage, directions: Sequence[Literal["minimize", "maximize"]]
) -> optuna.Study:
    try:  # to look at a study writes nothing
        return optuna.load_study(study_name=name, storage=storage)
    except KeyError:
        return optuna.create_study(study_name=name, storage=storage, directions=directions)


def _open_storage(study: StudyConfig, directory: Path) -> BaseStorage:
    if study.storage:
        return optuna.storages.get_storage(study.storage)
    journal = str(directory / "optuna.journal")
    return JournalStorage(JournalFileBackend(journal, lock_obj=JournalFileOpenLock(journal)))
