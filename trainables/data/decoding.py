"""Image files as squares of one size."""

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms.v2 import functional as transforms

from trainables.data.sources import Images, Indices

UNREADABLE = (
    OSError,
    EOFError,
    MemoryError,
    SyntaxError,
    ValueError,
    Image.DecompressionBombError,
)
"""What Pillow raises for files that are cut off, damaged, too large, or no images."""

SIXTEEN_BITS = {"I;16", "I;16L", "I;16B", "I;16N"}
"""Pillow's modes of 65,536 grey levels; its conversion to colour makes all above 255 white."""

UNSCALED = {"I": "32-bit whole numbers", "F": "floating-point numbers"}
"""Pillow's modes in which no level is known to be white."""

MOST_PIXELS = 50_000_000
"""Of one image; while it is decoded, each takes up to 8 bytes of a worker's memory."""

AS_WIDE = {"PNG", "PPM"}
"""Formats of 16 bits that Pillow (PNG: older ones) keeps as whole numbers of 32."""


def decode(path: str, resolution: int) -> Images:
    """An image file as ``(3, resolution, resolution)``: shorter side resized, centre cropped.

    In colour, with antialiasing; an image of that size already is taken as it is.

    Raises:
        ValueError: if the file cannot be read as an image, or its levels are of unknown scale.
    """
    try:
        with Image.open(path) as file:
            image = _in_colour(file)
    except UNREADABLE as error:
        raise ValueError(
            f"image {path} cannot be read, as it is damaged, cut off or no image; replace or "
            f"delete it and run again ({str(error) or type(error).__name__})"
        ) from error
    if image.size != (resolution, resolution):
        image = transforms.resize(image, [resolution], antialias=True)
        image = transforms.center_crop(image, [resolution])
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))


def _in_colour(file: Image.Image) -> Image.Image:
    """Red, green and blue in 8 bits; what is transparent shows the colour that it hides."""
    if (pixels := file.width * file.height) > MOST_PIXELS:
        raise ValueError(f"it has {pixels:,} pixels, and at most {MOST_PIXELS:,} are decoded")
    if file.mode in UNSCALED and file.format not in AS_WIDE:
        raise ValueError(f"its levels are {UNSCALED[file.mode]}, of which none is known as white")
    if file.mode in SIXTEEN_BITS | {"I"}:
        levels = np.asarray(file).astype(np.float32) / 257  # 65535 = 257 * 255
        return Image.fromarray(levels.round().astype(np.uint8)).convert("RGB")
    if "transparency" in file.info:  # or Pillow warns for every file with a palette
        file = file.convert("RGBA")
    return file.convert("RGB")


@dataclass(frozen=True)
class ImageFiles:
    """Images that are decoded whenever they are asked for.

    Attributes:
        files: paths as bytes in one array, which forked workers share without copies.
        labels: of the files.
        resolution: height and width in pixels.
    """

    files: NDArray[np.bytes_]
    labels: Indices
    resolution: int
    highest: int = 255
    decodes: bool = True

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """``(channels, height, width)``."""
        return 3, self.resolution, self.resolution

    def levels(self, rows: Indices) -> Images:
        """Images of these rows."""
        return np.stack([decode(os.fsdecode(name), self.resolution) for name in self.files[rows]])
