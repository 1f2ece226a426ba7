"""The one file that shows a training run to Ray Tune."""

import json
import math
import time
import traceback
from typing import Any

from ray import tune
from ray.exceptions import RayActorError
from ray.train._internal.session import _TrainingResult

from trainables.config import TrialConfig
from trainables.distillation import Distillation
from trainables.machine.allocator import hand_back_freed_memory
from trainables.machine.out_of_memory import is_out_of_memory
from trainables.redaction import without_secrets
from trainables.storage.attempt import SupersededError
from trainables.storage.object_store import StoreError
from trainables.storage.places import fetch_teachers
from trainables.storage.trial_store import StateNotStoredError, TrialStore
from trainables.teachers import forget_teachers, load_teachers
from trainables.workers.worker_group import WorkerGroup

FOR_RAY = (RayActorError, SupersededError, StoreError)
"""What says nothing about the training: Ray goes on with the trial in another process."""


class DistillationTrainable(tune.Trainable):
    """One trial: ``step`` is one epoch, then the accuracies on the validation split.

    Its config holds ``trial`` (a ``TrialConfig`` as JSON), ``directory`` (the trial's own),
    ``teachers`` (where prepared teachers lie) and, if there are more than one, ``workers``. State
    is kept in ``directory/checkpoint.pt``, always whole, so that any process that is given the same
    config continues where the last one stopped. From then on the last one cannot write there: it
    may live on, on a node that is cut off. Both places may be URLs.

    A run is taken up by its first step, not by ``setup``: Ray may make several of these for one
    trial, and use the first that is ready.

    Errors of the training itself are results with a ``failure``: Ray would try them again, to the
    same end. A state that cannot be stored is one that begins with ``storage:``; it says nothing
    about the trial. A worker that died is Ray's to make good, as the death of this process would
    be.
    """

    _group: WorkerGroup | None = None
    _store: TrialStore | None = None

    def setup(self, config: dict[str, Any]) -> None:
        """Build the run; its first step continues it if it has a checkpoint."""
        self._counted = time.monotonic()
        self._store = TrialStore(config["directory"])
        self._failure, self._unsaved = "", False
        self._distillation: Distillation | WorkerGroup | None = None
        try:
            self._distillation = self._build(config, self._store)
        except FOR_RAY:
            raise
        except Exception as error:
            self._failure = self._explain(error, self._store)

    def _build(self, config: dict[str, Any], store: TrialStore) -> Distillation | WorkerGroup:
        trial = TrialConfig.model_validate(config["trial"])
        distillation = self._begun(trial, config["teachers"], config.get("workers", 1))
        store.note("machine.json", json.dumps(distillation.machine, indent=1))
        return distillation

    def _begun(self, trial: TrialConfig, teachers: str, workers: int) -> Distillation | WorkerGroup:
        if workers == 1:
            folder = fetch_teachers(trial, teachers)
            return Distillation.build(trial, *load_teachers(trial, folder))
        if self._group is None or not self._group.alive:
            self._group = WorkerGroup(workers)
        return self._group.build(trial, teachers)

    def step(self) -> dict[str, Any]:
        """One epoch: ``report`` holds its metrics, ``failure`` why the trial cannot go on.

        ``cost/seconds`` is wall time: of the epoch, its validation, and what came before the first.
        """
        assert self._store is not None, "Ray calls setup first"
        report: dict[str, float] = {}
        try:
            self._save_reported(self._store)
            self._take_up(self._store)
            report = self._epoch(self._store)
        except FOR_RAY:
            raise
        except Exception as error:
            self._failure = self._failure or self._explain(error, self._store)
        epoch = self._distillation.epoch if self._distillation else 0
        finished = self._distillation is None or self._distillation.finished
        if self._failure:
            self._let_go()
        return {
            "report": {"epoch": epoch, **report, "cost/seconds": self._seconds()},
            "failure": self._failure,
            "done": finished or bool(self._failure),
        }

    def _take_up(self, store: TrialStore) -> None:
        """Go on from the checkpoint that is there, and let nobody else write one from now on."""
        if self._distillation is None:
            return
        if store.is_taken_up:
            store.require()  # no epoch is trained in vain
        elif (state := store.take_up()) is not None:
            self._distillation.load_state_dict(state)

    def _seconds(self) -> float:
        """Wall time since the last report; building counts, waiting for Ray between epochs, too."""
        before, self._counted = self._counted, time.monotonic()
        return round(self._counted - before, 3)

    def _epoch(self, store: TrialStore) -> dict[str, float]:
        distillation = self._distillation
        if distillation is None or self._failure:
            return {}
        metrics = {} if distillation.finished else distillation.train_epoch()
        metrics |= distillation.validate()
        bad = sorted(name for name, value in metrics.items() if not math.isfinite(value))
        if bad:
            value, epoch = metrics[bad[0]], distillation.epoch
            self._failure = f"diverged: {bad[0]} was {value} in epoch {epoch}"
        elif distillation.finished:  # before it is reported: a complete trial has its last weights
            self._keep(distillation, store)
        else:
            self._unsaved = store.is_remote
        return {name: value for name, value in metrics.items() if name not in bad}

    def _save_reported(self, store: TrialStore) -> None:
        """Keep the last epoch at a URL, where Ray does not ask for it: by now the ledger has it."""
        if self._unsaved and self._distillation is not None and not self._failure:
            self._unsaved = False
            try:
                store.try_to_save(self._distillation.state_dict())
            except StateNotStoredError as error:
                self._failure = f"storage: {error}"

    def _keep(self, distillation: Distillation | WorkerGroup, store: TrialStore) -> None:
        try:
            store.save(distillation.state_dict())
        except StateNotStoredError as error:
            self._failure = f"storage: {error}"

    def _explain(self, error: Exception, store: TrialStore) -> str:
        store.note("error.log", without_secrets(traceback.format_exc()))
        out_of_memory = is_out_of_memory(error)
        if out_of_memory:
            forget_teachers()  # of earlier trials; this one's are read again
        kind = "out of memory" if out_of_memory else "raised"
        first_line = without_secrets(str(error)).partition("\n")[0]
        return f"{kind}: {type(error).__name__}: {first_line} (see error.log)"

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        """Write the whole state to the trial's directory, atomically; Ray keeps its path."""
        store = self._store
        if self._distillation is None or store is None or self._failure or not store.is_taken_up:
            return {"path": ""}
        self._keep(self._distillation, store)
        return {"path": "" if self._failure else str(store.checkpoint)}

    def save(self, checkpoint_dir: str | None = None) -> Any:
        """``save_checkpoint``, then Ray's own note of it; that one is never needed, so may fail."""
        try:
            return super().save(checkpoint_dir)  # type: ignore[no-untyped-call, unused-ignore]
        except OSError:
            return _TrainingResult(checkpoint=None, metrics={})

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Nothing: the first step takes the run up, and reads the checkpoint that is there then."""

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Serve another trial; imports, data and teachers stay, the memory of the old one goes."""
        self._let_go()
        self._leave()
        self.setup(new_config)
        return True

    def _let_go(self) -> None:
        """Free what the trial holds: its student, optimiser, best weights, and caches of them."""
        self._distillation = None
        hand_back_freed_memory()

    def _leave(self) -> None:
        if self._store is not None:
            self._store.leave()

    def cleanup(self) -> None:
        """End the workers of a trial over several of them, and the turn at it."""
        self._leave()
        if self._group is not None:
            self._group.close()
