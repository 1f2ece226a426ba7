"""Image files, decoded once and kept as one array on disk."""

import hashlib
import os
from pathlib import Path

import numpy as np
import PIL

from trainables.data.decoding import ImageFiles
from trainables.data.locks import locked
from trainables.data.sources import Images, Levels, Part
from trainables.data.streaming import in_chunks

VERSION = 2
"""Of the way in which files become arrays."""


def cached(part: Part, root: Path, *, workers: int) -> Part:
    """The same images from a memory map under ``root``; what is no image file stays as it is.

    The map's name is a fingerprint of the files (their paths, sizes and times), of the resolution
    and of Pillow's version. It is written beside its place and then moved there, so a map that is
    there is whole; one that has been cut off since is written anew.

    Raises:
        ValueError: if an image cannot be read or the map not be written.
    """
    source = part.source
    if not isinstance(source, ImageFiles):
        return part
    folder, name = root / "decoded", identity(source, part)
    path = folder / f"{name}.npy"
    with locked(folder, name):
        levels = _mapped(path, part)
        if levels is None:
            _write(path, part, workers)
            levels = _mapped(path, part)
    assert levels is not None, "it has just been written"
    return Part.whole(Levels(levels, part.labels))


def identity(source: ImageFiles, part: Part) -> str:
    """First 24 hex digits of a SHA-256 of all that decides the pixels.

    Raises:
        ValueError: if a file is not there, as behind a link to nowhere.
    """
    digest = hashlib.sha256(f"{VERSION} {source.resolution} {PIL.__version__}".encode())
    for name in source.files[part.rows]:
        try:
            state = os.stat(name)  # noqa: PTH116 - a million times, and the names are bytes
        except OSError as error:
            raise ValueError(
                f"image {os.fsdecode(name)} cannot be read; replace or delete it and run again "
                f"({error.strerror})"
            ) from error
        digest.update(name + f"\0{state.st_size} {state.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:24]


def _mapped(path: Path, part: Part) -> Images | None:
    try:
        levels: Images = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return None
    return levels if levels.shape == (len(part), *part.source.image_shape) else None


def _write(path: Path, part: Part, workers: int) -> None:
    half_written = path.with_name(f".{path.name}.{os.getpid()}")
    shape = (len(part), *part.source.image_shape)
    try:
        levels = np.lib.format.open_memmap(half_written, "w+", dtype=np.uint8, shape=shape)
        for rows, some in in_chunks(part, workers=workers):
            levels[rows] = some.numpy()
        levels.flush()
        half_written.replace(path)
    except OSError as error:
        raise ValueError(
            f"data.root must have room for {part.num_bytes / 1e9:.1f} GB of decoded images, but "
            f"{path} cannot be written ({error}); free space, or set data.loading.cache to none"
        ) from error
    finally:
        half_written.unlink(missing_ok=True)
