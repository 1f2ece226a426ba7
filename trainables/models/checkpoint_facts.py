"""What a file says of itself, before any network is built."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from trainables.models.checkpoints import not_of, read_checkpoint, read_weights
from trainables.models.factory import check_architecture
from trainables.models.fitting import difference
from trainables.models.layouts import facts_of, translated
from trainables.models.normalization import ChannelStatistics
from trainables.models.own_facts import Standardising as Standardising
from trainables.models.own_facts import own_facts
from trainables.spelling import shortened


class CheckpointFacts(NamedTuple):
    """A file of weights, described."""

    path: Path
    sha256: str
    layout: str
    """Whose layout it is, for people."""
    architecture: str
    num_classes: int | None
    channels: int | None
    image_size: int | None
    """Pixels of a side, where weights tell it."""
    normalization: Standardising | None
    """What the file brings, or what we wrote into it."""
    usual_normalization: ChannelStatistics | None
    """What the code of its layout does outside the weights."""
    data: str | None
    """Name of the data set; only our own files say it."""
    resolution: int | None
    """To which images are resized inside; only our own files say it."""
    ours: bool
    """Whether it was trained here, in a network that was fitted to its images."""


def checkpoint_facts(path: Path, architecture: str | None = None) -> CheckpointFacts:
    """Describe a file; remembered until it changes.

    Args:
        path: of the checkpoint.
        architecture: what it is said to be; None where its keys and shapes have to tell.

    Raises:
        ValueError: if it cannot be read, is of another architecture, or of none that we can tell.
    """
    if not path.is_file():
        read_checkpoint(path)  # says so
    status = path.stat()
    return _facts(path, architecture, (status.st_mtime_ns, status.st_size))


@lru_cache(maxsize=32)
def _facts(path: Path, architecture: str | None, _changed: tuple[int, int]) -> CheckpointFacts:
    checkpoint, (weights, normalization, _) = read_weights(path)
    found, own = facts_of(weights), own_facts(checkpoint)
    name = architecture or (own.architecture if own else found.architecture)
    if name is None:
        raise ValueError(
            f"checkpoint {path} is of an architecture that its keys do not tell (first: "
            f"{shortened(next(iter(weights)), 120)}); name it with architecture"
        )
    check_architecture(name)  # it becomes part of a file's name
    fits = own is not None and name == own.architecture  # as we fitted it to its images
    if not fits and (differing := difference(name, translated(weights))):
        raise ValueError(f"{not_of(path, name, weights)}: {differing}")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return CheckpointFacts(
        path,
        digest,
        f"ours, {found.layout}" if own else found.layout,
        name,
        found.num_classes,
        found.channels,
        found.image_size,
        own.normalization if own else normalization,
        found.normalization,
        own.data if own else None,
        own.resolution if own else None,
        own is not None and not own.published,
    )
