"""Well-known public robust teachers: what they are, and where their user gets the file."""

from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, field_validator

from trainables.data import DataConfig
from trainables.frozen import Frozen
from trainables.spelling import unknown

FILE = Path(__file__).with_name("teacher_registry.yaml")

FOLDER = "teachers"
"""Inside the data's ``root``: where files of public teachers belong."""


class PublicTeacher(Frozen):
    """One file, as its authors and RobustBench describe it."""

    architecture: str = Field(description="as in our configs")
    data: str = Field(description="data set that it was trained on, as in our configs")
    classes: int = Field(ge=2, description="number of classes")
    norm: Literal["linf", "l2"] = Field("linf", description="of the threat model")
    epsilon: str = Field(description="radius for images in [0, 1], as a number or a fraction")
    clean_accuracy: float = Field(gt=0, le=1, description="published, on the test set")
    autoattack_accuracy: float = Field(gt=0, le=1, description="published, on the test set")
    millions_of_parameters: float | None = Field(
        None, gt=0, description="that are used; None where nobody we trust says it"
    )
    normalization: Literal["none", "cifar10", "cifar100", "imagenet"] = Field(
        description="what its code standardises images by"
    )
    file: str = Field(description="its name in the folder of teachers")
    source: str = Field(description="where its user gets the file")
    paper: str = Field(description="authors, title, year")

    @field_validator("epsilon")
    @classmethod
    def _is_a_radius(cls, epsilon: str) -> str:
        if not 0 < Fraction(epsilon) <= 1:
            raise ValueError(f"epsilon must be above 0 and at most 1, got {epsilon}")
        return epsilon

    @property
    def threat(self) -> str:
        """For people: ``linf 8/255``."""
        return f"{self.norm} {self.epsilon}"


@cache
def public_teachers() -> dict[str, PublicTeacher]:
    """The registry by name, in the order of its file."""
    content = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return {name: PublicTeacher.model_validate(entry) for name, entry in content.items()}


def public_teacher(name: str) -> PublicTeacher:
    """The entry of this name.

    Raises:
        ValueError: if there is none.
    """
    if name not in public_teachers():
        raise ValueError(unknown("public teacher", name, public_teachers()))
    return public_teachers()[name]


def teachers_folder(root: Path | None = None) -> Path:
    """Where files of public teachers belong, below the data's root."""
    return (root or DataConfig().root).expanduser() / FOLDER


def file_of(name: str, folder: Path) -> Path:
    """The file of a public teacher.

    Raises:
        ValueError: if it is not in the folder; says where to get it.
    """
    entry = public_teacher(name)
    path = folder / entry.file
    if not path.is_file():
        raise ValueError(
            f"teacher {name!r} is not there: {path} does not exist; get it from {entry.source} and "
            "put it there under that name, or give its path as checkpoint"
        )
    return path
