"""Strokes with round ends: the marks inside a shape, the clutter around it, what hides it."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Stroke = tuple[float, float, float, float, float]
"""Both ends ``x, y, x, y`` and the radius; equal ends make a disc."""

_NOWHERE: Stroke = (99, 99, 99, 99, 0)
_CORNERS = [(0.34 * np.cos(a), 0.34 * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 9)]

_DRAWN: dict[str, list[Stroke]] = {
    "none": [],
    "dot": [(0, 0, 0, 0, 0.27)],
    "ring": [(*a, *b, 0.1) for a, b in pairwise(_CORNERS)],
    "pair": [(-0.28, 0, -0.28, 0, 0.17), (0.28, 0, 0.28, 0, 0.17)],
    "triple": [(x, y, x, y, 0.16) for x, y in ((0, 0.27), (-0.27, -0.2), (0.27, -0.2))],
    "bar": [(-0.42, 0, 0.42, 0, 0.13)],
    "bars": [(-0.4, 0.22, 0.4, 0.22, 0.1), (-0.4, -0.22, 0.4, -0.22, 0.1)],
    "plus": [(-0.4, 0, 0.4, 0, 0.11), (0, -0.4, 0, 0.4, 0.11)],
    "tee": [(-0.36, 0.32, 0.36, 0.32, 0.11), (0, 0.32, 0, -0.42, 0.11)],
    "chevron": [(-0.36, -0.22, 0, 0.26, 0.11), (0, 0.26, 0.36, -0.22, 0.11)],
}

MARKS = tuple(_DRAWN)
"""Names of the marks inside a shape; the place of a name is its number."""


def _table() -> Floats:
    longest = max(map(len, _DRAWN.values()))
    return np.array(
        [strokes + [_NOWHERE] * (longest - len(strokes)) for strokes in _DRAWN.values()],
        dtype=np.float32,
    )


MARK_STROKES = _table()
"""``(marks, strokes, 5)``, in the frame of the outline, y upwards."""


def depth(strokes: Floats, x: Floats, y: Floats) -> Floats:
    """How deep each pixel lies inside a stroke; negative outside, in the units of ``x``.

    Args:
        strokes: one per image, ``(images, 5)``.
        x: coordinate of each pixel, ``(images, height, width)``.
        y: same.

    Returns:
        ``(images, height, width)``.
    """
    x1, y1, x2, y2, radius = strokes.T[:, :, None, None]
    along_x, along_y = x2 - x1, y2 - y1
    length = np.maximum(along_x**2 + along_y**2, 1e-12)
    share = np.clip(((x - x1) * along_x + (y - y1) * along_y) / length, 0, 1)
    distance = np.hypot(x - x1 - share * along_x, y - y1 - share * along_y)
    return np.asarray(radius - distance, dtype=np.float32)


def coverage(strokes: Floats, x: Floats, y: Floats, pixel: Floats) -> Floats:
    """How much of each pixel the strokes of its image cover together, anti-aliased.

    Args:
        strokes: ``(images, strokes, 5)``.
        x: coordinate of each pixel, ``(images, height, width)``.
        y: same.
        pixel: width of a pixel in those units, ``(images, 1, 1)``.

    Returns:
        ``(images, height, width)`` in [0, 1].
    """
    deepest = depth(strokes[:, 0], x, y)
    for number in range(1, strokes.shape[1]):
        deepest = np.maximum(deepest, depth(strokes[:, number], x, y))
    return np.asarray(np.clip(0.5 + deepest / pixel, 0, 1), dtype=np.float32)
