"""A trial, completely described.

It is what a trial gets, MLflow logs, ``tuner export`` writes and ``tuner train`` reads.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, field_validator, model_validator

from trainables.alignments import Alignments
from trainables.attacks import AttackConfig
from trainables.data import DataConfig
from trainables.frozen import Frozen
from trainables.methods import METHODS, Method
from trainables.methods.adversarial_training import AdversarialTraining
from trainables.models import check_architecture
from trainables.threat import ThreatModel

if TYPE_CHECKING:
    MethodConfig: TypeAlias = Method
else:
    MethodConfig = Annotated[reduce(or_, METHODS.values()), Field(discriminator="name")]
"""The settings of one method, told apart by ``name``."""


class OptimizerConfig(Frozen):
    """The optimiser and its learning-rate schedule; defaults as in RSLAD, ARD and KDIGA."""

    name: Literal["sgd", "adamw"] = Field(
        "sgd", description="SGD with Nesterov-free momentum, or AdamW"
    )
    learning_rate: float = Field(0.1, gt=0, description="peak learning rate")
    momentum: float = Field(0.9, ge=0, lt=1, description="of SGD")
    weight_decay: float = Field(
        2e-4, ge=0, description="applied to every parameter, as the papers' code does"
    )
    schedule: Literal["constant", "multistep", "cosine", "one_cycle"] = Field(
        "multistep",
        description="multistep: divide by 10 at 50 % and 75 % of all steps; cosine: to zero; "
        "one_cycle: linear up over warmup, then linear to zero",
    )
    warmup: float = Field(
        0.0, ge=0, lt=1, description="share of all steps with a linear rise from zero"
    )
    clip_norm: float | None = Field(
        None, gt=0, description="largest norm of the gradient of all parameters"
    )


class StudentConfig(Frozen):
    """What is trained."""

    architecture: str = Field("cifar_resnet18", description="a name of timm's registry")
    normalize: bool = Field(
        True, description="standardise by the training images' mean and std inside the model"
    )

    _check = field_validator("architecture")(check_architecture)


class TeacherTraining(Frozen):
    """How a teacher is adversarially trained here when it comes without a checkpoint."""

    epochs: int = Field(200, ge=1, description="passes over the training images")
    attack: AttackConfig = AttackConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    epsilon_warmup: float = Field(0.0, ge=0, le=1, description="as of a trial")
    batch_size: int = Field(128, ge=2, description="images per step")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="of the cross-entropy")
    seed: int = Field(0, ge=0, description="of weights, order and attack")


class TeacherConfig(StudentConfig):
    """Who teaches: weights from a file, or trained once under the trial's data and threat model."""

    checkpoint: Path | None = Field(
        None, description="weights as .pt/.pth (loaded without executing code) or .safetensors"
    )
    clean_accuracy: float | None = Field(
        None,
        gt=0,
        le=1,
        description="accuracy on the validation split that the file's source promises",
    )
    tolerance: float = Field(
        0.015, gt=0, le=1, description="how far the measured accuracy may be from the promise"
    )
    training: TeacherTraining = TeacherTraining()


class ValidationConfig(Frozen):
    """How a student is measured after every epoch, on images that no training saw."""

    attack: AttackConfig = Field(
        AttackConfig(steps=20),
        description="margin PGD behind val/robust_accuracy; the same at every epoch",
    )
    cross_entropy: Literal["always", "last_epoch", "never"] = Field(
        "last_epoch",
        description="when val/pgd20_accuracy (the same attack on cross-entropy) is measured too",
    )
    masking_alarm: float = Field(
        0.05,
        gt=0,
        le=1,
        description="alarm if the cross-entropy attack leaves this much more than the margin",
    )
    batch_size: int = Field(512, ge=1, description="images per attacked batch")


class HardwareConfig(Frozen):
    """Where a trial runs; part of the config because the same numbers need the same arithmetic."""

    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="auto: a GPU if there is one"
    )
    threads: int = Field(1, ge=1, description="CPU threads of PyTorch; sums depend on it")


class TrialConfig(Frozen):
    """One training run. Same config, same machine: the same numbers."""

    data: DataConfig = DataConfig()
    threat: ThreatModel = ThreatModel()
    student: StudentConfig = StudentConfig()
    teacher: TeacherConfig | None = None
    method: MethodConfig = AdversarialTraining()
    attack: AttackConfig = Field(AttackConfig(), description="the attack of training")
    alignments: Alignments = Alignments()
    optimizer: OptimizerConfig = OptimizerConfig()
    epsilon_warmup: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of the epochs over which the training attack's epsilon grows linearly; "
        "small ViTs do not leave chance level without it",
    )
    epochs: int = Field(200, ge=1, description="passes over the training images")
    seed: int = Field(0, ge=0, description="of weights, order, augmentation and attack")
    validation: ValidationConfig = ValidationConfig()
    hardware: HardwareConfig = HardwareConfig()

    @model_validator(mode="after")
    def _teacher_is_there(self) -> Self:
        if self.teacher is None and self.needs_teacher:
            raise ValueError(
                "teacher is missing, but the method or an alignment with a weight above 0 learns "
                "from one; name a teacher, or use method adversarial_training without alignments"
            )
        return self

    @property
    def needs_teacher(self) -> bool:
        """Whether any part of the loss asks a teacher."""
        return self.method.needs_teacher or bool(self.alignments.active())

    def teacher_trial(self) -> "TrialConfig":
        """The training run that makes this trial's teacher.

        Raises:
            ValueError: if the trial has no teacher.
        """
        if self.teacher is None:
            raise ValueError("this trial has no teacher")
        training = self.teacher.training
        return TrialConfig(
            data=self.data.model_copy(update={"batch_size": training.batch_size}),
            threat=self.threat,
            student=StudentConfig(
                architecture=self.teacher.architecture, normalize=self.teacher.normalize
            ),
            method=AdversarialTraining(label_smoothing=training.label_smoothing),
            attack=training.attack,
            optimizer=training.optimizer,
            epsilon_warmup=training.epsilon_warmup,
            epochs=training.epochs,
            seed=training.seed,
            hardware=self.hardware,
        )


def fingerprint(settings: Frozen) -> str:
    """First 16 hex digits of the SHA-256 of the settings as canonical JSON."""
    canonical = json.dumps(settings.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def merge(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``overrides`` on top, dictionaries merged key by key; neither is changed.

    ``True`` over a dictionary switches on what is there already and changes nothing.
    """
    merged = dict(base)
    for key, value in overrides.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[key] = merge(below, value)
        elif not (isinstance(below, Mapping) and value is True):
            merged[key] = value
    return merged
