"""The one file that shows a training run to Ray Tune."""

import json
import math
import time
import traceback
from pathlib import Path
from typing import Any

import torch
from ray import tune

from trainables.config import TrialConfig
from trainables.distillation import Distillation
from trainables.hardware import machine
from trainables.models.checkpoints import read_checkpoint, save_atomically
from trainables.redaction import without_secrets
from trainables.teachers import load_teachers


class DistillationTrainable(tune.Trainable):
    """One trial: ``step`` is one epoch, then the accuracies on the validation split.

    Its config holds ``trial`` (a ``TrialConfig`` as JSON), ``directory`` (the trial's own) and
    ``teachers`` (where prepared teachers lie). State is kept in ``directory/checkpoint.pt``, always
    whole, so that any process that is given the same config continues where the last one stopped.

    Errors of the training itself are results with a ``failure``: Ray would try them again, to the
    same end.
    """

    def setup(self, config: dict[str, Any]) -> None:
        """Build the run, and continue it if it has a checkpoint."""
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
        if self._checkpoint.is_file():
            distillation.load_state_dict(read_checkpoint(self._checkpoint))
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
            report = self._epoch()
        except Exception as error:
            self._failure = self._failure or self._explain(error)
        epoch = self._distillation.epoch if self._distillation else 0
        finished = self._distillation is None or self._distillation.finished
        return {
            "report": {"epoch": epoch, **report, "cost/seconds": self._seconds()},
            "failure": self._failure,
            "done": finished or bool(self._failure),
        }

    def _seconds(self) -> float:
        """Wall time since the last report; building counts, waiting for Ray between epochs, too."""
        before, self._counted = self._counted, time.monotonic()
        return round(self._counted - before, 3)

    def _epoch(self) -> dict[str, float]:
        distillation = self._distillation
        if distillation is None:
            return {}
        metrics = {} if distillation.finished else distillation.train_epoch()
        metrics |= distillation.validate()
        bad = sorted(name for name, value in metrics.items() if not math.isfinite(value))
        if bad:
            value, epoch = metrics[bad[0]], distillation.epoch
            self._failure = f"diverged: {bad[0]} was {value} in epoch {epoch}"
        elif distillation.finished:  # before it is reported: a complete trial has its last weights
            save_atomically(distillation.state_dict(), self._checkpoint)
        return {name: value for name, value in metrics.items() if name not in bad}

    def _explain(self, error: Exception) -> str:
        self._directory.mkdir(parents=True, exist_ok=True)
        (self._directory / "error.log").write_text(without_secrets(traceback.format_exc()))
        kind = (
            "out of memory" if isinstance(error, torch.OutOfMemoryError | MemoryError) else "raised"
        )
        first_line = without_secrets(str(error)).partition("\n")[0]
        return f"{kind}: {type(error).__name__}: {first_line} (see error.log)"

    @property
    def _checkpoint(self) -> Path:
        return self._directory / "checkpoint.pt"

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        """Write the whole state to the trial's directory, atomically; Ray keeps its path."""
        if self._distillation is None or self._failure:
            return {"path": ""}
        save_atomically(self._distillation.state_dict(), self._checkpoint)
        return {"path": str(self._checkpoint)}

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Continue from a path that ``save_checkpoint`` returned."""
        if checkpoint and checkpoint["path"] and self._distillation is not None:
            self._distillation.load_state_dict(read_checkpoint(Path(checkpoint["path"])))

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Serve another trial; imports, data and teachers on the device stay."""
        self.setup(new_config)
        return True
