"""Images and labels from a seed."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from trainables.glyphs.outlines import OUTLINES
from trainables.glyphs.scene import SIDE, draw
from trainables.glyphs.strokes import MARKS

VERSION = 1
"""Of the drawing; to be raised with every change that moves a pixel."""

MAX_CLASSES = len(OUTLINES) * len(MARKS)
CHUNK = 100
"""Images that share one stream of random numbers."""


def generate(count: int, classes: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Draw the first ``count`` images of an endless sequence.

    Up to ten classes are the outlines, and the mark inside varies freely; above, class ``c`` is
    outline ``c % 10`` with mark ``c // 10``, so 100 classes are every pair. Classes take turns.
    Colour, texture, size, pose, clutter and light are drawn independently of the class. A smaller
    ``count`` gives a prefix. Equal on every machine with the same NumPy, up to a grey level where
    the last digit of a sine differs.

    Args:
        count: number of images, >= 0.
        classes: from 2 to 100.
        seed: >= 0; another seed, other images throughout.

    Returns:
        Images ``(count, 3, 32, 32)`` and labels ``(count,)``.

    Raises:
        ValueError: if ``classes`` is not from 2 to 100.
    """
    if not 2 <= classes <= MAX_CLASSES:
        raise ValueError(f"glyphs have from 2 to {MAX_CLASSES} classes, got {classes}")
    images = np.empty((count, 3, SIDE, SIDE), dtype=np.uint8)
    for first in range(0, count, CHUNK):
        chunk = _chunk(first, classes, seed)
        images[first : first + CHUNK] = chunk[: count - first]
    return images, _labels(0, count, classes)


def _labels(first: int, count: int, classes: int) -> NDArray[np.int64]:
    return np.arange(first, first + count, dtype=np.int64) % classes


def _chunk(first: int, classes: int, seed: int) -> NDArray[np.uint8]:
    random = Generator(np.random.PCG64([VERSION, seed, classes, first]))
    scene = draw(*parts(_labels(first, CHUNK, classes), classes, random), random)
    return np.rint(scene * 255).astype(np.uint8)


def parts(
    labels: NDArray[np.int64], classes: int, random: Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numbers of the outline and of the mark that each label asks for, or chance where none."""
    free = random.integers(0, len(MARKS), len(labels))
    marks = free if classes <= len(OUTLINES) else labels // len(OUTLINES)
    return labels % len(OUTLINES), marks
