"""Drawn once, then read: glyphs on disk."""

import os
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.glyphs.dataset import VERSION, generate
from trainables.glyphs.scene import SIDE


def stored(
    count: int, classes: int, *, seed: int, root: Path
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """What :func:`generate` returns, kept in a file under ``root`` that its arguments name.

    A file that is damaged (its checksums disagree) or of another shape is drawn and written anew;
    a file that is there whole is never changed.

    Raises:
        ValueError: if the file cannot be written.
    """
    path = root.expanduser() / f"glyphs-v{VERSION}-{classes}-classes-{count}-seed-{seed}.npz"
    known = _read(path, count)
    if known is not None:
        return known
    images, labels = generate(count, classes, seed)
    try:
        _write(path, images, labels)
    except OSError as error:
        raise ValueError(
            f"data.root must be a folder in which glyphs can be written, got {root} ({error})"
        ) from error
    return images, labels


def _read(path: Path, count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]] | None:
    """Images and labels, or None where there is no such file or none that can be trusted."""
    try:
        # checks the zip's CRC-32 of every array, and loads no objects
        with path.open("rb") as opened, np.load(opened) as file:
            images, labels = file["images"], file["labels"]
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        return None
    fits = images.shape == (count, 3, SIDE, SIDE) and labels.shape == (count,)
    return (images, labels) if fits and images.dtype == np.uint8 else None


def _write(path: Path, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    half_written = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with half_written.open("wb") as file:
            np.savez(file, images=images, labels=labels)
        half_written.replace(path)
    finally:
        half_written.unlink(missing_ok=True)
