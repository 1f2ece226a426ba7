"""What ``tuner train`` leaves: one folder per seed, each file whole at every moment."""

import csv
import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainables.config import TrialConfig, identity
from trainables.machine.hardware import machine, resolved
from trainables.models.checkpoints import read_checkpoint
from trainables.models.student_file import write_student
from tuner.differences import describe_differences
from tuner.exporting.config_files import config_text
from tuner.exporting.made_with import commit, versions
from tuner.exporting.provenance import Provenance
from tuner.records import TrialRecord, TrialState
from tuner.storage.atomic import write_atomically
from tuner.storage.trial_files import metrics_csv
from tuner.study_file import load_trial

WHOLE = ("epoch", "timestamp")
"""Columns of whole numbers."""


@dataclass(frozen=True)
class TrainingFolder:
    """One training run on disk.

    Attributes:
        path: the folder.
        config: what is trained there.
        provenance: where the config comes from; None where nothing is known.
    """

    path: Path
    config: TrialConfig
    provenance: Provenance | None = None

    @property
    def checkpoint(self) -> Path:
        """The state that training goes on from."""
        return self.path / "checkpoint.pt"

    @property
    def student(self) -> Path:
        """The finished student's weights, without training state."""
        return self.path / "student.safetensors"

    @property
    def metrics(self) -> Path:
        """A line per epoch, a column per metric."""
        return self.path / "metrics.csv"

    def claim(self) -> None:
        """Make the folder this run's, or see that it is; writes config.yaml and machine.json.

        Raises:
            ValueError: if another config was trained there, or it holds something else.
        """
        self._refuse_foreign()
        self._refuse_another()
        path = self.path / "config.yaml"
        if not path.is_file():
            content = self.config.model_dump(mode="json")
            write_atomically(path, config_text(content, self.provenance, path))
        if not (self.checkpoint.is_file() and self._machine.is_file()):
            self.metrics.unlink(missing_ok=True)
            self.student.unlink(missing_ok=True)
            write_atomically(self._machine, json.dumps(self._made_with(), indent=1) + "\n")

    def _refuse_foreign(self) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"{self.path} is a file; name a folder with --output")
        trial = self.path.parent.name == "trials" and (self.path.parents[1] / "study.yaml").exists()
        there = {path.name for path in self.path.iterdir()} if self.path.is_dir() else set()
        begun = {"config.yaml", "checkpoint.pt"} & there
        # further seeds, and what a kill leaves before the config is there
        ours = {name for name in there if name.startswith("seed_") or name.endswith(".part")}
        if trial or (there - ours and not begun):
            what = "is a trial of a study" if trial else "is not empty and holds no training"
            raise ValueError(f"folder {self.path} {what}; name an empty or a new one with --output")

    def _refuse_another(self) -> None:
        before: Mapping[str, Any] | None = None
        if self.checkpoint.is_file():
            before = read_checkpoint(self.checkpoint).get("config")
        elif (self.path / "config.yaml").is_file():
            before = load_trial(self.path / "config.yaml").model_dump(mode="json")
        now = self.config.model_dump(mode="json")
        if before is not None and identity(before) != identity(now):
            raise ValueError(
                f"{self.path} holds the training of another config: "
                f"{describe_differences(identity(before), identity(now))}; "
                "name another folder with --output"
            )

    @property
    def _machine(self) -> Path:
        return self.path / "machine.json"

    def _made_with(self) -> dict[str, Any]:
        own = {"run": uuid.uuid4().hex, "commit": commit(), "versions": versions()}
        return {**machine(resolved(self.config.hardware)), **own}

    @property
    def run(self) -> str:
        """This run's own name among all runs: what MLflow finds it by."""
        return str(json.loads(self._machine.read_text())["run"])

    def keep(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Add an epoch's metrics; one that is there already is written anew."""
        earlier = [row for row in self.rows() if row["epoch"] < epoch]
        row = {"epoch": epoch, "timestamp": int(time.time() * 1000), **metrics}
        record = self.record(TrialState.running, [*earlier, row])
        write_atomically(self.metrics, metrics_csv(record))

    def epoch_kept(self, epoch: int) -> bool:
        """Whether the metrics of an epoch are there, as after a finished run is asked for again."""
        return any(row["epoch"] == epoch for row in self.rows())

    def files(self) -> list[Path]:
        """What is worth keeping elsewhere, as far as it is there: all but the training state."""
        found = [self.student, self.path / "config.yaml", self.metrics, self._machine]
        return [path for path in found if path.is_file()]

    def rows(self) -> list[dict[str, float]]:
        """The metrics of every epoch so far."""
        if not self.metrics.is_file():
            return []
        with self.metrics.open(newline="") as file:
            return [
                {
                    name: int(text) if name in WHOLE else float(text)
                    for name, text in row.items()
                    if text
                }
                for row in csv.DictReader(file)
            ]

    def record(
        self, state: TrialState, rows: list[dict[str, float]] | None = None, reason: str = ""
    ) -> TrialRecord:
        """The run in the shape in which MLflow and the metrics file see a trial."""
        teacher = self.config.teacher
        asked = self.config.needs_teacher and teacher is not None
        return TrialRecord(
            0,
            state,
            "trained",
            teacher.label if asked and teacher else "",
            self.config.model_dump(mode="json"),
            reports=tuple(self.rows() if rows is None else rows),
            reason=reason,
        )

    def finish(self) -> Path:
        """Write the student's weights without its training state."""
        origin = self.provenance
        further = {"provenance": origin.model_dump(mode="json")} if origin else {}
        return write_student(read_checkpoint(self.checkpoint), self.student, **further)
