"""Who teaches: weights from a file, training here, or several of them together."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from trainables.attacks import AttackConfig
from trainables.frozen import Frozen
from trainables.models import check_architecture
from trainables.models.normalization import ChannelStatistics
from trainables.optimizing.optimizer import OptimizerConfig
from trainables.paths import usable
from trainables.spelling import unknown
from trainables.teacher_registry import public_teacher

AUTO = "auto"
"""To be told from the checkpoint."""

DEFAULT_ARCHITECTURE = "cifar_resnet18"
"""Of a teacher of which nothing is said."""

Normalization = Literal["auto", "data", "none", "cifar10", "cifar100", "imagenet"]
NORMALIZATIONS = Normalization.__args__  # type: ignore[attr-defined]


class TeacherTraining(Frozen):
    """How a teacher is trained here when it comes without a checkpoint."""

    method: Literal["adversarial_training", "standard"] = Field(
        "adversarial_training", description="with or without attack"
    )
    epochs: int = Field(200, ge=1, description="passes over the training images")
    attack: AttackConfig = AttackConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    epsilon_warmup: float = Field(0.0, ge=0, le=1, description="as of a trial")
    batch_size: int = Field(128, ge=2, description="images per step")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="of the cross-entropy")
    seed: int = Field(0, ge=0, description="of weights, order and attack")


class TeacherConfig(Frozen):
    """Who teaches: weights from a file, or trained once under the trial's data and threat model."""

    name: str | None = Field(
        None,
        description="a public teacher of `tuner teachers`: gives architecture, normalization and "
        "clean_accuracy where they are not written, and the file's name",
    )
    architecture: str = Field(
        AUTO,
        description="a name of timm's registry; auto: what the checkpoint's keys and shapes tell",
    )
    checkpoint: Path | None = Field(
        None,
        description="weights as .pt, .pth, .t7, .ckpt (read without executing code) or "
        ".safetensors, in any layout of docs/teachers.md",
    )
    normalization: Normalization | ChannelStatistics = Field(
        "auto",
        description="what images are standardised by inside the teacher: the training images' "
        "statistics (data), nothing (none), known ones, or mean and std per channel; auto: what "
        "the file brings, else what its layout's code does, else data",
    )
    resolution: int | None = Field(
        None,
        ge=4,
        le=4096,
        description="pixels of the side of the images that the teacher was made for, to which it "
        "resizes them inside; default: the data's. Of teachers from a file",
    )
    clean_accuracy: float | None = Field(
        None, gt=0, le=1, description="accuracy that the file's source promises"
    )
    promised_on: Literal["validation", "test"] = Field(
        "validation",
        description="images of that promise; published accuracies are on the test images, and the "
        "validation images are among those that a public teacher was trained on",
    )
    tolerance: float = Field(
        0.015, gt=0, le=1, description="how far the measured accuracy may be from the promise"
    )
    members: tuple["TeacherConfig", ...] = Field(
        (), description="several teachers whose probabilities are averaged, instead of one"
    )
    training: TeacherTraining = TeacherTraining()

    _check_checkpoint = field_validator("checkpoint")(usable)

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, values: Any) -> Any:
        return _completed(dict(values)) if isinstance(values, Mapping) else values

    @field_validator("architecture")
    @classmethod
    def _known(cls, name: str) -> str:
        return name if name == AUTO else check_architecture(name)

    @field_validator("normalization", mode="before")
    @classmethod
    def _known_normalization(cls, value: Any) -> Any:
        if isinstance(value, str) and value not in NORMALIZATIONS:
            raise ValueError(unknown("normalization", value, NORMALIZATIONS))
        return value

    @model_validator(mode="after")
    def _ensemble_is_that_alone(self) -> Self:
        if not self.members:
            return self
        own = {"name", "architecture", "checkpoint", "normalization", "resolution"}
        said = sorted(key for key in own if getattr(self, key) not in {None, AUTO})
        if said:
            raise ValueError(
                f"a teacher with members must not say {', '.join(said)} itself; say it of its "
                "members"
            )
        if len(self.members) < 2 or any(member.members for member in self.members):
            raise ValueError(
                f"members must be two or more teachers without members of their own, got "
                f"{len(self.members)}"
            )
        return self

    @model_validator(mode="after")
    def _training_can_do_that(self) -> Self:
        if self.from_file or self.members:
            return self
        if self.normalization not in {"auto", "data", "none"}:
            raise ValueError(
                "normalization of a teacher that is trained here must be auto, data or none, got "
                f"{self.normalization}; others need a checkpoint"
            )
        if self.resolution is not None:
            raise ValueError(
                f"resolution needs a teacher from a file, got {self.resolution} for one that is "
                "trained here at the data's own; name its checkpoint, or leave resolution out"
            )
        return self

    @property
    def from_file(self) -> bool:
        """Whether its weights come from a file."""
        return self.checkpoint is not None or self.name is not None

    @property
    def label(self) -> str:
        """What it is, for people, as far as the config says."""
        if self.members:
            return f"mean of {', '.join(member.label for member in self.members)}"
        if self.architecture == AUTO and self.checkpoint is not None:
            return self.checkpoint.name
        return self.name or self.architecture

    def each(self) -> tuple["TeacherConfig", ...]:
        """The members, or the teacher alone."""
        return self.members or (self,)

    def trained_here(self) -> tuple["TeacherConfig", ...]:
        """Those of :meth:`each` that come without a file."""
        return tuple(one for one in self.each() if not one.from_file)


def _completed(values: dict[str, Any]) -> dict[str, Any]:
    """What follows from what is said: an old spelling, a registry entry, the default."""
    if "normalize" in values:  # until 0.1.0, as of a student
        standardised = values.pop("normalize")
        values.setdefault("normalization", "data" if standardised else "none")
    if isinstance(values.get("name"), str):
        entry = public_teacher(values["name"])
        for key in ("architecture", "normalization"):
            if values.get(key, AUTO) == AUTO:
                values[key] = getattr(entry, key)
        if values.get("clean_accuracy") is None:
            values |= {"clean_accuracy": entry.clean_accuracy, "promised_on": "test"}
    elif not values.get("checkpoint") and not values.get("members"):
        values.setdefault("architecture", DEFAULT_ARCHITECTURE)
        if values["architecture"] == AUTO:
            raise ValueError(
                "architecture 'auto' needs a checkpoint to be told from; name the architecture, "
                "a checkpoint, or a public teacher"
            )
    return values


class CleanTeacherTraining(TeacherTraining):
    """How a second teacher is trained here: without attack unless said otherwise."""

    method: Literal["adversarial_training", "standard"] = Field(
        "standard", description="with or without attack"
    )


class CleanTeacherConfig(TeacherConfig):
    """Who teaches clean images (MTARD, IAD-II): accurate, not robust."""

    members: tuple["CleanTeacherConfig", ...] = Field(
        (), description="several teachers whose probabilities are averaged, instead of one"
    )
    training: CleanTeacherTraining = CleanTeacherTraining()
