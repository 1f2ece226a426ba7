"""Colours and textures."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Floats = NDArray[np.float32]
GRID = 7
"""Points per side of the coarse random field behind a blotchy texture."""


def colours(count: int, random: Generator) -> Floats:
    """Random colours ``(count, 3)`` in [0.1, 0.9], from grey to saturated."""
    grey = random.uniform(0.1, 0.9, (count, 1))
    saturation = random.uniform(0, 1, (count, 1))
    return _float32(grey + saturation * (random.uniform(0.1, 0.9, (count, 3)) - grey))


def contrasting(under: Floats, random: Generator, lowest: float, highest: float) -> Floats:
    """Colours ``(count, 3)`` whose mean differs from ``under`` by ``lowest`` to ``highest``.

    Lighter or darker by chance, and the other way where that would leave [0, 1].
    """
    brightness = under.mean(axis=1, keepdims=True)
    step = random.uniform(lowest, highest, (len(under), 1))
    step = step * random.choice([-1, 1], (len(under), 1))
    step = np.where((brightness + step < 0.05) | (brightness + step > 0.95), -step, step)
    tint = random.normal(0, 0.12, (len(under), 3))
    return _float32(np.clip(under + step + tint - tint.mean(axis=1, keepdims=True), 0, 1))


def textures(count: int, side: int, random: Generator) -> Floats:
    """Patterns ``(count, side, side)`` in [-1, 1]: flat, gradient, stripes, checks, blotches."""
    kind = random.integers(0, 5, (count, 1, 1))
    gradient = _waves(count, side, random, shortest=3 * side, longest=6 * side)
    stripes = _waves(count, side, random, shortest=4, longest=14)
    checks = stripes * _waves(count, side, random, shortest=4, longest=14)
    blotches = _blotches(count, side, random)
    patterns = [np.zeros_like(stripes), gradient, stripes, checks, blotches]
    return _float32(np.choose(kind, patterns))


def _waves(count: int, side: int, random: Generator, *, shortest: float, longest: float) -> Floats:
    """Plane waves in random directions; wavelengths in pixels."""
    direction, phase = random.uniform(0, 2 * np.pi, (2, count, 1, 1))
    number = 2 * np.pi / random.uniform(shortest, longest, (count, 1, 1))
    place = np.arange(side) - side / 2
    across, down = number * np.cos(direction) * place, number * np.sin(direction) * place
    return _float32(np.sin(across + down.swapaxes(1, 2) + phase))


def _blotches(count: int, side: int, random: Generator) -> Floats:
    """Uniform noise on a coarse grid, linearly interpolated."""
    place = np.linspace(0, GRID - 1, side)
    weights = np.maximum(0, 1 - np.abs(place[:, None] - np.arange(GRID)))
    field = random.uniform(-1, 1, (count, GRID, GRID))
    return _float32(weights @ field @ weights.T)


def _float32(values: NDArray[np.floating]) -> Floats:
    return np.asarray(values, dtype=np.float32)
