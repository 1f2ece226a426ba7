"""Prepared teachers on disk: one file each, which says all that building it again needs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import Field, TypeAdapter, ValidationError

from trainables.config import TrialConfig
from trainables.models import Network
from trainables.models.checkpoints import load_weights, read_checkpoint
from trainables.models.own_facts import TeacherNote, own_facts
from trainables.networks import build_network
from trainables.spelling import shown
from trainables.teachers.ensemble import ensemble
from trainables.teachers.sources import Source, as_normalize

ACCURACIES = TypeAdapter(dict[str, Annotated[float, Field(ge=0, le=1)]])


class PreparedTeacher(NamedTuple):
    """A teacher on disk and what it reaches on the validation split."""

    path: Path
    clean_accuracy: float
    robust_accuracy: float
    trained_now: bool
    layout: str = ""
    """Whose layout the file was in; empty for a teacher that was trained here."""
    sha256: str = ""
    """Of the file that it came from; likewise."""

    @property
    def origin(self) -> str:
        """Where its weights come from, for people."""
        if not self.layout:
            return "trained here"
        return f"from a file in the layout {self.layout}, sha256 {self.sha256[:16]}"


def description(source: Source) -> dict[str, Any]:
    """What is stored of a teacher from a file; nothing of one that was trained here."""
    if source.file is None:
        return {}
    note = TeacherNote(
        normalization=source.standardising,
        resolution=source.resolution,
        published=source.published,
        layout=source.file.layout,
        sha256=source.file.sha256,
    )
    return {"teacher": note.model_dump(mode="json")}


def stored_place(directory: Path, name: str) -> Path:
    """Where a teacher is stored; in the file of an earlier version where that is there alone."""
    path, earlier = directory / f"{name}.safetensors", directory / f"{name}.pt"
    return earlier if earlier.is_file() and not path.is_file() else path


def measured_in(path: Path) -> dict[str, float]:
    """Accuracies in [0, 1] that a prepared file says were measured.

    Raises:
        ValueError: if it cannot be read, or is no prepared teacher.
    """
    return _measured(path, read_checkpoint(path))


def _measured(path: Path, content: Mapping[str, Any]) -> dict[str, float]:
    try:
        found = ACCURACIES.validate_python(content.get("measured"))
    except ValidationError as error:
        raise ValueError(_no_teacher(path)) from error
    if not {"clean_accuracy", "robust_accuracy"} <= found.keys():
        raise ValueError(_no_teacher(path))
    return found


def _no_teacher(path: Path) -> str:
    return f"{path} is no teacher that this version has prepared; delete it and start again"


def prepared(path: Path, *, now: bool) -> PreparedTeacher:
    """What lies at ``path``; ``now`` says whether it was not there before.

    Raises:
        ValueError: if it cannot be read, or is no prepared teacher.
    """
    content = read_checkpoint(path)
    measured, facts = _measured(path, content), own_facts(content)
    note = facts.teacher if facts else None
    return PreparedTeacher(
        path,
        measured["clean_accuracy"],
        measured["robust_accuracy"],
        now,
        note.layout if note else "",
        note.sha256 if note else "",
    )


def members_in(path: Path, content: Mapping[str, Any]) -> list[Path]:
    """Files of an ensemble's members, which lie beside it; none for a single teacher.

    Raises:
        ValueError: if the file names something else.
    """
    names = content.get("members", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(_no_teacher(path))
    if odd := [name for name in names if name != Path(name).name or name == path.name]:
        raise ValueError(
            f"{path} names a member outside its folder ({shown(odd[0])}); delete it and start again"
        )
    return [path.parent / name for name in names]


def prepared_network(path: Path, config: TrialConfig) -> Network:
    """The teacher in a prepared file, frozen, in eval mode.

    Args:
        path: of the file; the members of an ensemble lie beside it.
        config: whose data and device.

    Raises:
        ValueError: if a file cannot be read, or is no prepared teacher.
    """
    content = read_checkpoint(path)
    files = members_in(path, content)
    if files:
        network = ensemble([_single(file, read_checkpoint(file), config) for file in files])
    else:
        network = _single(path, content, config)
    return network.eval().requires_grad_(False)


def _single(path: Path, content: Mapping[str, Any], config: TrialConfig) -> Network:
    facts = own_facts(content)
    if facts is None:
        raise ValueError(_no_teacher(path))
    network = build_network(
        config,
        facts.architecture,
        as_normalize(facts.normalization),
        resolution=facts.resolution,
        published=facts.published,
    )
    load_weights(network, path, facts.architecture)
    return network
