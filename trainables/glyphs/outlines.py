"""Ten outlines, each as its radius by direction: smooth to deform, cheap to draw."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Radii = NDArray[np.float64]
Polygon = list[tuple[float, float]]

NUM_DIRECTIONS = 256
"""Directions at which a radius is tabulated; between them it is interpolated."""

DIRECTIONS = np.arange(NUM_DIRECTIONS) * (2 * np.pi / NUM_DIRECTIONS)
ROOT_MEAN_SQUARE_RADIUS = 0.8
"""Of every outline, so that all have one area and size tells nothing about the class."""


def _polygon(corners: Polygon) -> Radii:
    """Radius by direction of a polygon that the origin sees whole: where each ray meets an edge."""
    start = np.array(corners)
    edge = np.roll(start, -1, axis=0) - start
    ray = np.stack([np.cos(DIRECTIONS), np.sin(DIRECTIONS)], axis=1)[:, None]
    across = _cross(ray, edge)
    across = np.where(np.abs(across) < 1e-9, np.nan, across)  # parallel: no meeting
    along_ray, along_edge = _cross(start, edge) / across, _cross(start, ray) / across
    meets = (along_ray > 0) & (along_edge >= -1e-9) & (along_edge <= 1 + 1e-9)
    radii: Radii = np.where(meets, along_ray, 0.0).max(axis=1)
    return radii


def _cross(a: Radii, b: Radii) -> Radii:
    product: Radii = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return product


def _on_circle(angles: Radii, radii: Radii) -> Polygon:
    return list(zip(radii * np.cos(angles), radii * np.sin(angles), strict=True))


def _disc() -> Radii:
    return np.ones(NUM_DIRECTIONS)


def _square() -> Radii:
    return _polygon([(1, 1), (-1, 1), (-1, -1), (1, -1)])


def _triangle() -> Radii:
    return _polygon(_on_circle(np.deg2rad([90, 210, 330]), np.ones(3)))


def _star() -> Radii:
    return _polygon(_on_circle(np.deg2rad(90 + 36 * np.arange(10)), np.tile([1, 0.45], 5)))


def _plus() -> Radii:
    a = 0.38
    quarter = np.array([(1, -a), (1, a), (a, a)])
    turned = [quarter @ np.array([[c, s], [-s, c]]) for c, s in ((1, 0), (0, 1), (-1, 0), (0, -1))]
    return _polygon([(float(x), float(y)) for x, y in np.concatenate(turned)])


def _heart() -> Radii:
    t = np.linspace(0, 2 * np.pi, 128, endpoint=False)
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return _polygon(list(zip(16 * np.sin(t) ** 3, y + 1, strict=True)))


def _drop() -> Radii:
    arc = np.deg2rad(np.linspace(150, 390, 49))
    return _polygon([(0, 1.35), *((0.72 * np.cos(a), 0.72 * np.sin(a) - 0.2) for a in arc)])


def _house() -> Radii:
    eaves = [(0.62, 0.0), (0.95, 0.0), (0.0, 1.0), (-0.95, 0.0), (-0.62, 0.0)]
    return _polygon([(0.62, -0.9), *eaves, (-0.62, -0.9)])


def _clover() -> Radii:
    radii: Radii = 1 + 0.4 * np.cos(3 * (DIRECTIONS - np.pi / 2))
    return radii


def _hourglass() -> Radii:
    return _polygon([(0.4, 0), (0.95, 1), (-0.95, 1), (-0.4, 0), (-0.95, -1), (0.95, -1)])


_DRAWN: dict[str, Callable[[], Radii]] = {
    "disc": _disc,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "plus": _plus,
    "heart": _heart,
    "drop": _drop,
    "house": _house,
    "clover": _clover,
    "hourglass": _hourglass,
}

OUTLINES = tuple(_DRAWN)
"""Their names; the place of a name is its number."""


def _table() -> Floats:
    radii = np.stack([draw() for draw in _DRAWN.values()])
    size = np.sqrt((radii**2).mean(axis=1, keepdims=True))
    return np.asarray(ROOT_MEAN_SQUARE_RADIUS * radii / size, dtype=np.float32)


RADII = _table()
"""``(outlines, directions)``: radius in the direction ``2 pi k / NUM_DIRECTIONS``, y upwards."""


def wobble(radii: Floats, amplitudes: Floats, phases: Floats) -> Floats:
    r"""Radii times :math:`1 + \sum_m a_m \cos(m \theta + \phi_m)`, for m from 2.

    Args:
        radii: ``(images, directions)``.
        amplitudes: ``(images, waves)``, relative to the radius.
        phases: ``(images, waves)``, in radians.

    Returns:
        Same shape as ``radii``.
    """
    number = np.arange(2, 2 + amplitudes.shape[1])[:, None]
    waves = np.cos(number * DIRECTIONS + phases[:, :, None])
    factor = 1 + np.einsum("nm,nmd->nd", amplitudes, waves)
    return np.asarray(radii * factor, dtype=np.float32)


def coverage(radii: Floats, x: Floats, y: Floats, pixel: Floats) -> Floats:
    """How much of each pixel lies inside the outline, anti-aliased.

    Args:
        radii: ``(images, directions)``.
        x: coordinate of each pixel in the outline's own frame, ``(images, height, width)``.
        y: same, upwards.
        pixel: width of a pixel in that frame, ``(images, 1, 1)``.

    Returns:
        ``(images, height, width)`` in [0, 1].
    """
    place = np.arctan2(y, x) * (NUM_DIRECTIONS / (2 * np.pi)) % NUM_DIRECTIONS
    below = np.floor(place).astype(np.int64) % NUM_DIRECTIONS
    image = np.arange(len(radii))[:, None, None]
    first, second = radii[image, below], radii[image, (below + 1) % NUM_DIRECTIONS]
    radius = first + (place - np.floor(place)) * (second - first)
    # the distance to the edge is shorter than the way along the ray where the radius changes
    slope = (second - first) * (NUM_DIRECTIONS / (2 * np.pi)) / np.maximum(radius, 1e-3)
    distance = (radius - np.hypot(x, y)) / np.sqrt(1 + slope**2)
    return np.asarray(np.clip(0.5 + distance / pixel, 0, 1), dtype=np.float32)
