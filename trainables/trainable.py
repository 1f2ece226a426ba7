"""The one file that shows a training run to Ray Tune."""

import json
import math
import time
import traceback
from pathlib import Path
from typing import Any

import torch
from ray import tune

from trainables.attempt import Attempt, SupersededError
from trainables.config import TrialConfig
from trainables.distillation import Distillation
from trainables.hardware import machine
from trainables.models.checkpoints import read_checkpoint
from trainables.teachers import load_teachers


class DistillationTrainable(tune.Trainable):
    """One trial: ``step`` is one epoch, then the accuracies on the validation split.

    Its config holds ``trial`` (a ``TrialConfig`` as JSON), ``directory`` (the trial's own) and
    ``teachers`` (where prepared teachers lie). State is kept in ``directory/checkpoint.pt``, always
    whole, so that any process that is given the same config continues where the last one stopped.
    From then on the last one cannot write there: it may live on, on a node that is cut off.

    A run is taken up by its first step, not by ``setup``: Ray may make several of these for one
    trial, and use the first that is ready.

    Errors of the training itself are results with a ``failure``: Ray would try them again, to the
    same end.
    """

    _attempt: Attempt | None = None

    def setup(self, config: dict[str, Any]) -> None:
        """Build the run; its first step continues it if it has a checkpoint."""
        self._counted = time.monotonic()
        self._directory = Path(config["directory"])
        self._failure = ""
        self._distillation: Distillation | None = None
        try:
            self._distillation = self._build(config)
        except Exception as error:
            self._failure = self._explain(error)

    def _build(self, config: dict[str, Any]) -> Distillation:
        trial = TrialConfig.model_validate(config["trial"])
        distillation = Distillation.build(trial, *load_teachers(trial, Path(config["teachers"])))
        self._directory.mkdir(parents=True, exist_ok=True)
        computed_with = json.dumps(machine(distillation.hardware), indent=1)
        (self._directory / "machine.json").write_text(computed_with)
        return distillation

    def step(self) -> dict[str, Any]:
        """One epoch: ``report`` holds its metrics, ``failure`` why the trial cannot go on.

        ``cost/seconds`` is wall time: of the epoch, its validation, and what came before the first.
        """
        report: dict[str, float] = {}
        try:
            self._take_up()
            report = self._epoch()
        except SupersededError:
            raise
        except Exception as error:
            self._failure = self._failure or self._explain(error)
        epoch = self._distillation.epoch if self._distillation else 0
        finished = self._distillation is None or self._distillation.finished
        return {
            "report": {"epoch": epoch, **report, "cost/seconds": self._seconds()},
            "failure": self._failure,
            "done": finished or bool(self._failure),
        }

    def _take_up(self) -> None:
        """Go on from the checkpoint that is there, and let nobody else write one from now on."""
        if self._distillation is None:
            return
        if self._attempt is not None:
            self._attempt.require()  # no epoch is trained in vain
            return
        self._attempt = Attempt.begin(self._checkpoint)
        if self._checkpoint.is_file():
            self._distillation.load_state_dict(read_checkpoint(self._checkpoint))

    def _seconds(self) -> float:
        """Wall time since the last report; building counts, waiting for Ray between epochs, too."""
        before, self._counted = self._counted, time.monotonic()
        return round(self._counted - before, 3)

    def _epoch(self) -> dict[str, float]:
        distillation = self._distillation
        if distillation is None or self._attempt is None:
            return {}
        metrics = {} if distillation.finished else distillation.train_epoch()
        metrics |= distillation.validate()
        bad = sorted(name for name, value in metrics.items() if not math.isfinite(value))
        if bad:
            value, epoch = metrics[bad[0]], distillation.epoch
            self._failure = f"diverged: {bad[0]} was {value} in epoch {epoch}"
        elif distillation.finished:  # before it is reported: a complete trial has its last weights
            self._attempt.save(distillation.state_dict())
        return {name: value for name, value in metrics.items() if name not in bad}

    def _explain(self, error: Exception) -> str:
        self._directory.mkdir(parents=True, exist_ok=True)
        (self._directory / "error.log").write_text(traceback.format_exc())
        kind = (
            "out of memory" if isinstance(error, torch.OutOfMemoryError | MemoryError) else "raised"
        )
        first_line = str(error).partition("\n")[0]
        return f"{kind}: {type(error).__name__}: {first_line} (see error.log)"

    @property
    def _checkpoint(self) -> Path:
        return self._directory / "checkpoint.pt"

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        """Write the whole state to the trial's directory, atomically; Ray keeps its path."""
        if self._distillation is None or self._attempt is None or self._failure:
            return {"path": ""}
        self._attempt.save(self._distillation.state_dict())
        return {"path": str(self._checkpoint)}

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Nothing: the first step takes the run up, and reads the checkpoint that is there then."""

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Serve another trial; imports, data and teachers on the device stay."""
        self.cleanup()
        self.setup(new_config)
        return True

    def cleanup(self) -> None:
        """Leave nothing but what the next attempt needs."""
        if self._attempt is not None:
            self._attempt.end()
            self._attempt = None
