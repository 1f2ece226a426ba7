"""The record of a study: an Optuna study in persistent storage; all else can be rebuilt from it.

Only the driver writes here. A trial's number is its identity; a trial that is running in the
ledger is unfinished, whatever became of the process that trained it.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from tuner.differences import describe_differences, difference, flatten, merged
from tuner.records import Cause, TrialRecord, TrialState
from tuner.running.second_try import SecondTry
from tuner.search.proposals import Proposal
from tuner.storage.database import ask_again
from tuner.storage.opening import has_begun, holds, open_storage
from tuner.study import StudyConfig

STATES: dict[optuna.trial.TrialState, TrialState] = {
    optuna.trial.TrialState.RUNNING: TrialState.running,
    optuna.trial.TrialState.WAITING: TrialState.running,
    optuna.trial.TrialState.COMPLETE: TrialState.complete,
    optuna.trial.TrialState.PRUNED: TrialState.stopped,
    optuna.trial.TrialState.FAIL: TrialState.failed,
}

BASES = "bases"
"""Attribute of a study: the configs that its trials change, as they were when it was begun."""
ENDED_EARLY = {TrialState.stopped, TrialState.failed}

Reopen = Callable[[StudyConfig, Path], "Ledger"]


class Ledger:
    """The trials of one study.

    Args:
        study: what is asked for.
        directory: where the journal lies, if the study names no storage.
        storage: used instead, for a study that nobody keeps.

    Raises:
        ValueError: if the storage holds another study of this name: other directions, another base
            or other teachers.
    """

    def __init__(
        self, study: StudyConfig, directory: Path, storage: BaseStorage | None = None
    ) -> None:
        self._config, self._directory = study, directory
        self._storage = storage or open_storage(study, directory)
        directions = [objective.direction for objective in study.objectives]
        self._bases = _bases(study)
        self._study = _open_study(study.name, self._storage, directions, json.dumps(self._bases))
        found = [direction.name.lower() for direction in self._study.directions]
        if found != directions:
            raise ValueError(
                f"study {study.name!r} in {study.storage or directory} has directions {found}, "
                f"but the config asks for {directions}; choose another name"
            )
        self._require_own_bases()
        trials = self._study.get_trials(deepcopy=False)
        self._ids = [trial._trial_id for trial in trials]
        self._open = {t.number for t in trials if STATES[t.state] == TrialState.running}

    def _require_own_bases(self) -> None:
        """Trials are kept as what they change in study.yaml: with another one, all were wrong."""
        if (noted := self.noted(BASES)) is None:
            return
        begun, now = json.loads(noted), json.loads(json.dumps(self._bases))
        before, after = flatten(begun), flatten(now)
        known = before.keys() & after.keys()  # a later version may have new fields
        before, after = ({key: flat[key] for key in known} for flat in (before, after))
        before["teachers"], after["teachers"] = (sorted(filter(None, x)) for x in (begun, now))
        if differences := describe_differences(before, after):
            raise ValueError(
                f"{self._config.storage or self._directory} holds another study called "
                f"{self._config.name!r}: {differences}; choose another name"
            )

    def __reduce__(self) -> tuple[Reopen, tuple[StudyConfig, Path]]:
        """Pickled as the way to open it again: Ray snapshots whatever holds a ledger."""
        return Ledger, (self._config, self._directory)

    def __len__(self) -> int:
        return len(self._ids)

    def enter(self, proposal: Proposal) -> TrialRecord:
        """Enter a trial, whole and running."""
        config = proposal.config.model_dump(mode="json")
        attributes = {
            # the base and the teachers are in study.yaml, whole
            "overrides": difference(self._bases[proposal.teacher], config),
            "label": proposal.label,
            "teacher": proposal.teacher,
            "repeats": proposal.repeats,
            "retries": proposal.retries,
        }
        number = self._add(
            optuna.trial.create_trial(
                state=optuna.trial.TrialState.RUNNING,
                params=dict(proposal.params),
                distributions=dict(proposal.distributions),
                user_attrs={key: value for key, value in attributes.items() if value is not None},
                system_attrs=dict(proposal.system_attrs),
            )
        )
        self._open.add(number)
        return self.record(number)

    def _add(self, trial: FrozenTrial) -> int:
        """Optuna adds a trial again if a database breaks off and does not say what it has kept."""
        trial_id = self._storage.create_new_trial(self._study._study_id, template_trial=trial)
        number = ask_again(self._storage.get_trial, trial_id).number
        if number != len(self._ids):
            raise StorageInternalError(f"trial {len(self._ids)} was entered twice as it broke off")
        self._ids.append(trial_id)
        return number

    def report(self, number: int, metrics: Mapping[str, float]) -> TrialRecord:
        """Store an epoch's metrics; the same epoch again replaces what was there."""
        report = {**metrics, "timestamp": int(time.time() * 1000)}
        # as text: a tenth of the memory of a dictionary of numbers
        self._set(number, f"report/{int(metrics['epoch']):05d}", json.dumps(report))
        return self.record(number)

    def try_again(self, number: int, second_try: SecondTry) -> TrialRecord:
        """Note how a trial that ran out of memory goes on; it stays unfinished."""
        self._set(number, "second_try", second_try.as_json())
        return self.record(number)

    def complete(self, number: int) -> TrialRecord:
        """End a trial with the objectives of its last report.

        A trial without one of its objectives fails instead, with that reason.
        """
        record = self.record(number)
        metrics = [objective.metric for objective in self._config.objectives]
        missing = [metric for metric in metrics if metric not in record.metrics]
        if missing:
            return self.fail(number, f"{Cause.raised}: no {missing[0]} in its last report")
        values = [record.metrics[metric] for metric in metrics]
        return self._end(number, optuna.trial.TrialState.COMPLETE, values)

    def fail(self, number: int, reason: str) -> TrialRecord:
        """End a trial as failed; the reason begins with a :class:`Cause`."""
        self._set(number, "reason", reason)
        return self._end(number, optuna.trial.TrialState.FAIL)

    def stop(self, number: int, reason: str) -> TrialRecord:
        """End a trial that was stopped early; it has no objectives."""
        self._set(number, "reason", reason)
        return self._end(number, optuna.trial.TrialState.PRUNED)

    def _end(
        self, number: int, state: optuna.trial.TrialState, values: Sequence[float] | None = None
    ) -> TrialRecord:
        ask_again(self._end_once, self._ids[number], state, values)
        self._open.discard(number)
        return self.record(number)

    def _end_once(
        self, trial_id: int, state: optuna.trial.TrialState, values: Sequence[float] | None
    ) -> None:
        if not self._storage.get_trial(trial_id).state.is_finished():
            self._storage.set_trial_state_values(trial_id, state, values)

    def _set(self, number: int, key: str, value: Any) -> None:
        ask_again(self._storage.set_trial_user_attr, self._ids[number], key, value)

    def remember(self, key: str, text: str) -> str:
        """What was noted under ``key`` when the study was first opened; ``text``, if nothing was.

        For what identifies a study beyond its file.
        """
        noted = self.noted(key)
        if noted is None:
            self._study.set_user_attr(key, text)
        return text if noted is None else noted

    def noted(self, key: str) -> str | None:
        """What was remembered under ``key``, if anything was."""
        noted = self._study.user_attrs.get(key)
        return None if noted is None else str(noted)

    def record(self, number: int) -> TrialRecord:
        """One trial as it stands."""
        return self._record(self.trial(number))

    def records(self) -> list[TrialRecord]:
        """All trials in the order of their numbers."""
        return [self._record(trial) for trial in ask_again(self._study.get_trials, False)]

    def trial(self, number: int) -> FrozenTrial:
        """One trial as Optuna has it; not to be changed."""
        return ask_again(self._storage.get_trial, self._ids[number])

    def unfinished(self) -> list[int]:
        """Numbers of the trials that were begun and did not end."""
        return sorted(self._open)

    def _record(self, trial: FrozenTrial) -> TrialRecord:
        attributes = trial.user_attrs
        keys = sorted(key for key in attributes if key.startswith("report/"))
        metrics = [objective.metric for objective in self._config.objectives]
        config = merged(self._bases[attributes["teacher"]], attributes["overrides"])
        second_try = SecondTry.of(attributes.get("second_try"))
        return TrialRecord(
            number=trial.number,
            state=STATES[trial.state],
            label=attributes["label"],
            teacher=attributes["teacher"],
            config=second_try.changed(config) if second_try else config,
            params=trial.params,
            reports=tuple(json.loads(attributes[key]) for key in keys),
            values=dict(zip(metrics, trial.values, strict=True)) if trial.values else {},
            reason=attributes.get("reason", "") if STATES[trial.state] in ENDED_EARLY else "",
            repeats=attributes.get("repeats"),
            retries=attributes.get("retries"),
            second_try=second_try,
            started=trial.datetime_start.astimezone() if trial.datetime_start else None,
            ended=trial.datetime_complete.astimezone() if trial.datetime_complete else None,
        )


def _bases(study: StudyConfig) -> dict[str, Any]:
    """The config that every trial changes: by teacher, and without one."""
    base = study.base.model_dump(mode="json")
    teachers = {name: t.model_dump(mode="json") for name, t in study.teachers.items()}
    return {"": base, **{name: {**base, "teacher": t} for name, t in teachers.items()}}


def _open_study(
    name: str,
    storage: BaseStorage,
    directions: Sequence[Literal["minimize", "maximize"]],
    bases: str,
) -> optuna.Study:
    try:  # to look at a study writes nothing
        return optuna.load_study(study_name=name, storage=storage)
    except KeyError:
        study = optuna.create_study(study_name=name, storage=storage, directions=directions)
        study.set_user_attr(BASES, bases)
        return study


def read_records(study: StudyConfig, directory: Path) -> list[TrialRecord]:
    """All trials of a study for those who only look: nothing is written or begun.

    Raises:
        ValueError: if the storage holds another study of this name, or is damaged.
        ConnectionError: if the storage does not answer.
    """
    if not has_begun(study, directory):
        return []
    storage = open_storage(study, directory)
    return Ledger(study, directory, storage).records() if holds(storage, study.name) else []
