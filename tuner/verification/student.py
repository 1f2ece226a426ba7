"""One student of a verification: trained if it is not, then measured; without Ray.

Both go on from where they were stopped: training from the last epoch, AutoAttack from the last
chunk and part. What was measured is kept by what decides it, so other attacks, radii or numbers of
images lie beside each other and nothing is measured twice.
"""

import hashlib
import math
import os
import platform
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainables.config import TrialConfig
from trainables.distillation import Distillation
from trainables.frozen import fingerprint
from trainables.machine.out_of_memory import is_out_of_memory
from trainables.models.checkpoints import read_checkpoint, save_atomically
from trainables.redaction import without_secrets
from trainables.teachers import load_teachers
from tuner.evaluation.measuring import WORST, Evaluation, Request, evaluate
from tuner.evaluation.target import Foreign, find_target
from tuner.records import Cause
from tuner.storage.atomic import write_atomically
from tuner.verification.measured import Measured, VerifiedRun

STATUS = "status.txt"


@dataclass(frozen=True)
class Student:
    """A config under one seed, and where its files are.

    Attributes:
        member: number of the config's first trial.
        trial: number of the trial that trained it; None: it is trained here.
        config: with its seed, as JSON types.
        checkpoint: where its weights are, or will be.
        folder: everything that is found of it.
        teachers: where prepared teachers lie.
    """

    member: int
    trial: int | None
    config: Mapping[str, Any]
    checkpoint: Path
    folder: Path
    teachers: Path

    @property
    def seed(self) -> int:
        """Of its training."""
        return int(self.config["seed"])

    @property
    def name(self) -> str:
        """For people."""
        return f"trial {self.member} seed {self.seed}"

    def status(self) -> str:
        """What it is doing, as it last said."""
        path = self.folder / STATUS
        return path.read_text(encoding="utf-8") if path.is_file() else "starting"


def known(student: Student, request: Request) -> VerifiedRun | None:
    """What was measured before; None where anything that decides it has changed."""
    if not student.checkpoint.is_file():
        return None
    path = _file(student, request)
    return VerifiedRun.model_validate_json(path.read_bytes()) if path.is_file() else None


def run_student(student: Student, request: Request) -> VerifiedRun | str:
    """Train and measure; a string says why it could not be done, beginning with its cause."""
    path = student.folder / STATUS

    def say(what: str) -> None:
        write_atomically(path, what)

    try:
        if student.trial is None:
            train(student, say)
        return known(student, request) or measure(student, request, say)
    except Exception as error:
        write_atomically(student.folder / "error.log", without_secrets(traceback.format_exc()))
        return _reason(error)
    finally:
        path.unlink(missing_ok=True)


class DivergedError(Exception):
    """A metric of the training was not finite."""


def train(student: Student, say: Callable[[str], None]) -> None:
    """Train to the last epoch, from wherever the checkpoint stands.

    Raises:
        DivergedError: if a metric is not finite.
        ValueError: if data or teacher cannot be had, or the checkpoint is of another config.
    """
    config = TrialConfig.model_validate(student.config)
    distillation = Distillation.build(config, *load_teachers(config, student.teachers))
    if student.checkpoint.is_file():
        distillation.load_state_dict(read_checkpoint(student.checkpoint))
    while not distillation.finished:
        say(f"epoch {distillation.epoch + 1} of {config.epochs}")
        metrics = {**distillation.train_epoch(), **distillation.validate()}
        bad = sorted(name for name, value in metrics.items() if not math.isfinite(value))
        if bad:
            raise DivergedError(f"{bad[0]} was {metrics[bad[0]]} in epoch {distillation.epoch}")
        save_atomically(distillation.state_dict(), student.checkpoint)


def measure(student: Student, request: Request, say: Callable[[str], None]) -> VerifiedRun:
    """Every attack and radius, and the gates, as ``tuner evaluate`` does it; kept in a file.

    Raises:
        ValueError: if the student cannot be measured.
    """
    began = time.monotonic()
    target = find_target(student.checkpoint, Foreign())
    evaluation = evaluate(target, request, student.folder, say)
    run = VerifiedRun(
        seed=student.seed,
        trial=student.trial,
        checkpoint=str(student.checkpoint),
        sha256=_sha256(student.checkpoint),
        measured=_measured(evaluation),
        verdict=evaluation.verdict,
        notes=tuple(evaluation.notes),
        seconds=round(time.monotonic() - began, 3),
        hardware=f"{platform.machine()}, {os.cpu_count()} cores, {target.network.mean.device}",
    )
    write_atomically(_file(student, request), run.model_dump_json(indent=1))
    return run


def _measured(evaluation: Evaluation) -> tuple[Measured, ...]:
    """The attacks without their parts and without their worst case."""
    return tuple(
        Measured(
            key=row.key,
            epsilon=row.epsilon,
            correct=row.accuracy.correct,
            total=row.accuracy.total,
        )
        for row in evaluation.rows
        if not row.inner and row.name != WORST
    )


def _file(student: Student, request: Request) -> Path:
    decisive = {
        "attacks": [attack.model_dump(mode="json") for attack in request.attacks],
        "threats": [threat.model_dump(mode="json") for threat in request.threats],
        "images": [request.split, request.images],
        "gates": request.gates,
        "seed": request.seed,
        "weights": _sha256(student.checkpoint),
    }
    return student.folder / f"measured-{fingerprint(decisive)}.json"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _reason(error: Exception) -> str:
    first = without_secrets(str(error)).partition("\n")[0]
    if isinstance(error, DivergedError):
        return f"{Cause.diverged}: {first}"
    cause = Cause.out_of_memory if is_out_of_memory(error) else Cause.raised
    return f"{cause}: {type(error).__name__}: {first} (see error.log)"
