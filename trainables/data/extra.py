"""Further labelled images from an npz file, such as those that diffusion models have made."""

import hashlib
import math
import struct
import zipfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from trainables.data.sources import Images, Levels, Part
from trainables.spelling import shortened

if TYPE_CHECKING:
    from trainables.data.config import ExtraConfig

MOST_COMPRESSED, SMALL = 500, 2**30
"""To what part a member of more than so many bytes may be compressed; images never are as much."""
LOCAL_HEADER = struct.Struct("<26xHH")
"""Of a zip's member: the lengths of its name and of what else precedes the content."""

KEYS = {"images": ("image", "images"), "labels": ("label", "labels")}


def open_extra(extra: "ExtraConfig", image_shape: tuple[int, int, int], classes: int) -> Part:
    """The images of the file, from disk where they are stored uncompressed.

    Args:
        extra: names the file.
        image_shape: ``(channels, height, width)`` of the images that they are mixed with.
        classes: their number of classes.

    Raises:
        ValueError: if the file is missing, damaged, or does not fit.
    """
    path = extra.path.expanduser()
    if not path.is_file():
        raise ValueError(f"data.extra.path must be an npz file, but {path} is not there")
    _check_content(path, extra.sha256)
    images, labels = (_array(path, names) for names in KEYS.values())
    levels = _channels_first(path, images, image_shape)
    if labels.ndim != 1 or len(labels) != len(levels) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"labels in {path} must be {len(levels)} whole numbers, one per image, got "
            f"{labels.dtype} of shape {labels.shape}"
        )
    if len(labels) == 0 or labels.min() < 0 or labels.max() >= classes:
        got = f"{labels.min()} to {labels.max()}" if len(labels) else "none"
        raise ValueError(f"labels in {path} must be from 0 to {classes - 1}, got {got}")
    return Part.whole(Levels(levels, labels.astype(np.int64)))


def _check_content(path: Path, sha256: str | None) -> None:
    if sha256 is None:
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise ValueError(
            f"data.extra.sha256 must be that of {path}, got {sha256}, but the file's is {found}; "
            "it is another file, or was not downloaded whole"
        )


def _array(path: Path, names: tuple[str, ...]) -> NDArray[Any]:
    """The first member of these names, as a memory map where it is stored uncompressed."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = {member.filename: member for member in archive.infolist()}
        member = next((members[f"{n}.npy"] for n in names if f"{n}.npy" in members), None)
        if member is None:
            raise ValueError(
                f"it has no {' or '.join(map(repr, names))}, only {', '.join(map(repr, members))}"
            )
        if member.compress_type == zipfile.ZIP_STORED:
            return _mapped(path, member)
        return _unpacked(path, member)
    except Exception as error:  # a damaged zip, or a header, which is Python's, may raise anything
        raise ValueError(
            f"data.extra.path must be a whole npz file with images and labels, got {path} "
            f"({shortened(str(error), 200)})"
        ) from error


def _unpacked(path: Path, member: zipfile.ZipInfo) -> NDArray[Any]:
    """A compressed array; loads no objects, and no more than the zip's directory promises."""
    if member.file_size > max(SMALL, MOST_COMPRESSED * member.compress_size):
        raise ValueError(f"{member.filename} would grow to {member.file_size / 1e9:.0f} GB")
    with zipfile.ZipFile(path) as archive, archive.open(member) as opened:
        shape, dtype = _header(opened)[::2]
        if math.prod(shape) * dtype.itemsize > member.file_size:
            raise ValueError(f"{member.filename} does not hold the values of shape {shape}")
    with np.load(path) as file:
        array: NDArray[Any] = file[member.filename.removesuffix(".npy")]
    return array


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether in Fortran's order, and kind of the array that begins here.

    Raises:
        ValueError: if it holds objects.
    """
    major = np.lib.format.read_magic(file)
    numpy = np.lib.format
    read = numpy.read_array_header_1_0 if major == (1, 0) else numpy.read_array_header_2_0
    shape, fortran, dtype = read(file)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are not loaded")
    return shape, fortran, dtype


def _mapped(path: Path, member: zipfile.ZipInfo) -> NDArray[Any]:
    """The array that begins after a zip member's header; refuses objects, executes nothing."""
    with path.open("rb") as file:
        file.seek(member.header_offset)
        file.seek(sum(LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))), 1)
        end = file.tell() + member.file_size
        shape, fortran, dtype = _header(file)
        order: Literal["C", "F"] = "F" if fortran else "C"
        array: NDArray[Any] = np.memmap(
            path, dtype, "r", offset=file.tell(), shape=shape, order=order
        )
        if file.tell() + array.nbytes != end:  # or what follows in the file would be images
            raise ValueError(f"{member.filename} does not hold the {array.size} values it says")
    return array


def _channels_first(path: Path, images: NDArray[Any], shape: tuple[int, int, int]) -> Images:
    channels, height, width = shape
    if images.dtype == np.uint8 and images.shape[1:] == (channels, height, width):
        return images
    if images.dtype == np.uint8 and images.shape[1:] == (height, width, channels):
        return images.transpose(0, 3, 1, 2)
    raise ValueError(
        f"images in {path} must be uint8 of {height}x{width} pixels and {channels} channels, "
        f"first or last, as the data set's, got {images.dtype} of shape {images.shape}"
    )
