"""A trial, completely described.

It is what a trial gets, MLflow logs, ``tuner export`` writes and ``tuner train`` reads.
"""

from collections.abc import Mapping
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeAlias

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from trainables.alignments import Alignments
from trainables.attacks import AttackConfig
from trainables.conventions import for_another_method, with_conventions
from trainables.conventions import merge as merge
from trainables.data import DataConfig
from trainables.diagnostics.config import DiagnosticsConfig
from trainables.frozen import Frozen
from trainables.frozen import fingerprint as fingerprint
from trainables.machine.hardware import HardwareConfig
from trainables.methods import METHODS, Method
from trainables.models import check_architecture, check_pretrained
from trainables.optimizing.accumulation import AccumulationConfig
from trainables.optimizing.early_stopping import EarlyStoppingConfig
from trainables.optimizing.optimizer import OptimizerConfig as OptimizerConfig
from trainables.optimizing.weight_averaging import AveragingConfig
from trainables.optimizing.weight_perturbation import WeightPerturbationConfig
from trainables.paths import usable
from trainables.teacher_config import CleanTeacherConfig as CleanTeacherConfig
from trainables.teacher_config import TeacherConfig as TeacherConfig
from trainables.teacher_registry import public_teacher
from trainables.threat import ThreatModel
from trainables.validation import ValidationConfig as ValidationConfig

if TYPE_CHECKING:
    MethodConfig: TypeAlias = Method
else:
    MethodConfig = Annotated[reduce(or_, METHODS.values()), Field(discriminator="name")]
"""The settings of one method, told apart by ``name``."""


class StudentConfig(Frozen):
    """What is trained."""

    architecture: str = Field("cifar_resnet18", description="a name of timm's registry")
    normalize: bool = Field(
        True, description="standardise by the training images' mean and std inside the model"
    )
    checkpoint: Path | None = Field(
        None,
        description="weights to begin with, as .pt/.pth (never executing code) or .safetensors",
    )

    pretrained: bool = Field(
        False,
        description="begin with timm's weights of the architecture, which timm downloads on this "
        "machine; not together with a checkpoint",
    )

    _check = field_validator("architecture")(check_architecture)
    _check_checkpoint = field_validator("checkpoint")(usable)

    @model_validator(mode="after")
    def _one_beginning(self) -> Self:
        if self.pretrained:
            check_pretrained(self.architecture)
            if self.checkpoint is not None:
                raise ValueError(
                    f"weights begin with pretrained: true or with a checkpoint, got both "
                    f"({self.checkpoint}); remove one"
                )
        return self


DEFAULT_METHOD = "adversarial_training"


class TrialConfig(Frozen):
    """One training run. Same config, same machine: the same numbers.

    What the authors of ``method`` set in ``attack`` and ``alignments`` holds where nothing is said.
    """

    data: DataConfig = DataConfig()
    threat: ThreatModel = ThreatModel()
    student: StudentConfig = StudentConfig()
    teacher: TeacherConfig | None = None
    clean_teacher: CleanTeacherConfig | None = Field(
        None, description="a second teacher, trained without attack; for mtard and iad2"
    )
    method: MethodConfig = METHODS[DEFAULT_METHOD]()
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
    averaging: AveragingConfig | None = Field(
        None, description="EMA or SWA of the student's weights, which is then what is measured"
    )
    weight_perturbation: WeightPerturbationConfig | None = Field(
        None, description="adversarial weight perturbation (AWP)"
    )
    early_stopping: EarlyStoppingConfig | None = Field(
        None, description="keep the best epoch by validation robust accuracy instead of the last"
    )
    accumulation: AccumulationConfig | None = Field(
        None, description="batches in parts, for a device that cannot hold one whole"
    )
    epochs: int = Field(200, ge=1, description="passes over the training images")
    seed: int = Field(0, ge=0, description="of weights, order, augmentation and attack")
    validation: ValidationConfig = ValidationConfig()
    diagnostics: DiagnosticsConfig = Field(
        DiagnosticsConfig(), description="what is measured besides accuracies, and when"
    )
    hardware: HardwareConfig = HardwareConfig()

    @model_validator(mode="before")
    @classmethod
    def _follow_conventions(cls, values: Any) -> Any:
        return with_conventions(values, DEFAULT_METHOD) if isinstance(values, Mapping) else values

    @model_serializer(mode="wrap")
    def _as_before(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without accumulation where there is none: as all that was written before it existed."""
        content: dict[str, Any] = handler(self)
        if self.accumulation is None:
            content.pop("accumulation", None)
        return content

    @model_validator(mode="after")
    def _batches_can_be_cut(self) -> Self:
        parts = self.accumulation.micro_batches if self.accumulation else 1
        if self.data.batch_size % parts:
            raise ValueError(
                f"accumulation.micro_batches must divide data.batch_size "
                f"({self.data.batch_size}), got {parts}"
            )
        return self

    @model_validator(mode="after")
    def _teachers_are_there(self) -> Self:
        if self.teacher is None and self.needs_teacher:
            raise ValueError(
                "teacher is missing, but the method or an alignment with a weight above 0 learns "
                "from one; name a teacher, or use method adversarial_training without alignments"
            )
        if self.clean_teacher is None and self.method.needs_clean_teacher:
            raise ValueError(
                f"clean_teacher is missing, but method {self.method_name!r} learns from a second "
                "teacher that was trained without attack; name its architecture (it is then "
                "trained here) or its checkpoint"
            )
        return self

    @model_validator(mode="after")
    def _batches_of_teachers_can_be_filled(self) -> Self:
        teachers = {"teacher": self.teacher, "clean_teacher": self.clean_teacher}
        for name, teacher in teachers.items():
            for one in teacher.trained_here() if teacher is not None else ():
                field = f"{name}.training.batch_size"
                self.data.check_batch_size(field, one.training.batch_size)
        return self

    @model_validator(mode="after")
    def _something_is_attacked(self) -> Self:
        for name, term in self.alignments.active().items():
            if term.needs_attack and not self.method.attacks:
                attacking = ", ".join(
                    sorted(key for key, method in METHODS.items() if method.attacks)
                )
                raise ValueError(
                    f"alignments.{name} compares images that the method's attack moved, but method "
                    f"{self.method_name!r} does not attack; methods that do: {attacking}"
                )
        return self

    @model_validator(mode="after")
    def _teachers_fit_data_and_terms(self) -> Self:
        for teacher in filter(None, (self.teacher, self.clean_teacher)):
            for one in teacher.each():
                entry = public_teacher(one.name) if one.name else None
                if entry and entry.data != self.data.name:
                    raise ValueError(
                        f"teacher {one.name!r} was trained on {entry.data!r}, but data is "
                        f"{self.data.name!r}; name a teacher of the same data set"
                    )
        tapping = [name for name, term in self.alignments.active().items() if term.layers]
        if tapping and self.teacher is not None and self.teacher.members:
            raise ValueError(
                f"alignments.{tapping[0]} compares feature maps, but the teacher is an ensemble, "
                "which has logits only; name a single teacher, or set its source to logits or "
                "probabilities"
            )
        return self

    @property
    def method_name(self) -> str:
        """The method's name in ``METHODS``."""
        return str(self.method.model_dump()["name"])

    @property
    def needs_teacher(self) -> bool:
        """Whether any part of the loss asks a teacher."""
        return self.method.needs_teacher or bool(self.alignments.active())

    def threat_in(self, epoch: int) -> ThreatModel:
        """The training attack's threat model in an epoch, counted from 1."""
        warmup_epochs = self.epsilon_warmup * self.epochs
        factor = min(1.0, epoch / warmup_epochs) if warmup_epochs else 1.0
        return ThreatModel(norm=self.threat.norm, epsilon=factor * self.threat.epsilon)

    def micro_batches_in(self, epoch: int) -> int:
        """Parts in which a batch is trained in an epoch, counted from 1."""
        begun = self.accumulation is not None and epoch >= self.accumulation.from_epoch
        return self.accumulation.micro_batches if self.accumulation and begun else 1

    def validation_in(self, epoch: int) -> ValidationConfig:
        """How an epoch is measured: where a batch is trained in parts, in parts as small."""
        size = max(1, self.validation.batch_size // self.micro_batches_in(epoch))
        return self.validation.model_copy(update={"batch_size": size})

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
                architecture=self.teacher.architecture,
                normalize=self.teacher.normalization != "none",
            ),
            method=METHODS[training.method](label_smoothing=training.label_smoothing),
            # complete, so that the recipe's own values stand and not a method's conventions
            attack=AttackConfig(**training.attack.model_dump()),
            optimizer=training.optimizer,
            epsilon_warmup=training.epsilon_warmup,
            epochs=training.epochs,
            seed=training.seed,
            hardware=self.hardware,
        )

    def clean_teacher_trial(self) -> "TrialConfig":
        """This trial with its second teacher in the place of the first."""
        return self.model_copy(update={"teacher": self.clean_teacher})


def identity(trial: Mapping[str, Any]) -> dict[str, Any]:
    """What decides which run this is, of its dump: all but how images get to the device.

    Nor does a run become another one when it goes on with batches in parts.
    """
    data = {key: value for key, value in trial["data"].items() if key != "loading"}
    return {**{key: value for key, value in trial.items() if key != "accumulation"}, "data": data}


def override(base: TrialConfig, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a trial: a complete base with overrides, which may name another method.

    The settings of one method, and what follows from them by convention, mean nothing to another.
    """
    values = base.model_dump(mode="json")
    name = overrides.get("method", {}).get("name", base.method_name)
    if name != base.method_name:
        plain = {"method": {"name": base.method_name}, "teacher": {}, "clean_teacher": {}}
        default = TrialConfig.model_validate(plain).model_dump(mode="json")
        values = for_another_method(values, name, default)
    return merge(values, overrides)
