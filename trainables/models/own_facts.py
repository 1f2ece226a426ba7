"""What our own files say of the network inside them, beside its weights."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, Field, ValidationError

from trainables.frozen import Frozen
from trainables.models.normalization import ChannelStatistics

Standardising = ChannelStatistics | Literal["data", "none"]
"""By given statistics, by those of the training images, or not at all."""


class TeacherNote(Frozen):
    """What is written down of a teacher that was made from somebody's file."""

    normalization: Standardising
    resolution: int | None = Field(None, ge=4, le=4096)
    published: bool = Field(False, description="whether it computes what others' code does")
    layout: str = Field("", description="whose layout the file was in")
    sha256: str = Field("", description="of the file")


class _Student(BaseModel):
    architecture: str
    normalize: bool


class _Data(BaseModel):
    name: str


class _Config(BaseModel):
    """The parts of a trial's config that a network is built again from, of any version."""

    student: _Student
    data: _Data


class OwnFacts(NamedTuple):
    """A network as one of our files describes it."""

    architecture: str
    normalization: Standardising
    data: str
    """Name of the data set."""
    teacher: TeacherNote | None
    """None of a student, and of a teacher that was trained here."""

    @property
    def resolution(self) -> int | None:
        """To which images are resized inside."""
        return self.teacher.resolution if self.teacher else None

    @property
    def published(self) -> bool:
        """Whether it computes what others' code does."""
        return self.teacher is not None and self.teacher.published


def own_facts(checkpoint: Mapping[str, Any]) -> OwnFacts | None:
    """What a checkpoint says, if it was written here; None for the files of others."""
    try:
        config = _Config.model_validate(checkpoint.get("config"))
        noted = checkpoint.get("teacher")
        teacher = None if noted is None else TeacherNote.model_validate(noted)
    except ValidationError:
        return None
    student = config.student
    usual: Standardising = "data" if student.normalize else "none"
    standardising = teacher.normalization if teacher else usual
    return OwnFacts(student.architecture, standardising, config.data.name, teacher)
