"""Prepared teachers on disk: one file each, which says all that building it again needs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from trainables.config import TrialConfig
from trainables.models import Network
from trainables.models.checkpoints import load_weights, read_checkpoint
from trainables.models.normalization import ChannelStatistics
from trainables.networks import build_network
from trainables.teachers.ensemble import ensemble
from trainables.teachers.sources import Source, as_normalize


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
    standardising = source.standardising
    return {
        "teacher": {
            "normalization": standardising
            if isinstance(standardising, str)
            else standardising.model_dump(mode="json"),
            "resolution": source.resolution,
            "published": source.published,
            "layout": source.file.layout,
            "sha256": source.file.sha256,
        }
    }


def prepared(path: Path, *, now: bool) -> PreparedTeacher:
    """What lies at ``path``; ``now`` says whether it was not there before."""
    content = read_checkpoint(path)
    measured, origin = content["measured"], content.get("teacher", {})
    return PreparedTeacher(
        path,
        measured["clean_accuracy"],
        measured["robust_accuracy"],
        now,
        origin.get("layout", ""),
        origin.get("sha256", ""),
    )


def prepared_network(path: Path, config: TrialConfig) -> Network:
    """The teacher in a prepared file, frozen, in eval mode.

    Args:
        path: of the file; the members of an ensemble lie beside it.
        config: whose data and device.

    Raises:
        ValueError: if a file cannot be read.
    """
    content = read_checkpoint(path)
    if "members" in content:
        network = ensemble([prepared_network(path.parent / n, config) for n in content["members"]])
    else:
        network = _single(path, content, config)
    return network.eval().requires_grad_(False)


def _single(path: Path, content: Mapping[str, Any], config: TrialConfig) -> Network:
    student, teacher = content["config"]["student"], content.get("teacher", {})
    standardising = teacher.get("normalization", "data" if student["normalize"] else "none")
    if isinstance(standardising, Mapping):
        standardising = ChannelStatistics.model_validate(standardising)
    network = build_network(
        config,
        student["architecture"],
        as_normalize(standardising),
        resolution=teacher.get("resolution"),
        published=teacher.get("published", False),
    )
    load_weights(network, path, student["architecture"])
    return network
