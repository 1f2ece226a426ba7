"""One image: a textured shape with a mark, on a textured ground, in clutter, partly hidden."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from trainables.glyphs import outlines, strokes, surfaces

Floats = NDArray[np.float32]
SIDE = 32
"""Height and width of an image in pixels."""

NUM_BEHIND, NUM_BEFORE = 4, 1
"""Most strokes behind and before the shape."""


def draw(outline: NDArray[np.int64], mark: NDArray[np.int64], random: Generator) -> Floats:
    """Scenes ``(images, 3, side, side)`` in [0, 1].

    Args:
        outline: number of each image's outline.
        mark: number of the mark inside it.
        random: decides everything else.
    """
    count = len(outline)
    ground, figure = _palette(count, random)
    image = _textured(ground, random)
    image = _clutter(image, random, ground=ground, strokes_at_most=NUM_BEHIND, widest=2.2)
    x, y, pixel = _pose(count, random)
    radii = outlines.wobble(
        outlines.RADII[outline],
        random.normal(0, 0.025, (count, 3)).astype(np.float32),
        random.uniform(0, 2 * np.pi, (count, 3)).astype(np.float32),
    )
    shape = outlines.coverage(radii, x, y, pixel)
    mark_coverage = strokes.coverage(strokes.MARK_STROKES[mark], x, y, pixel)
    ink = surfaces.contrasting(figure, random, 0.15, 0.45)
    painted = _over(_textured(figure, random), ink[:, :, None, None], mark_coverage)
    image = _over(image, painted, shape)
    image = _clutter(image, random, ground=ground, strokes_at_most=NUM_BEFORE, widest=1.6)
    return _camera(image, random)


def _palette(count: int, random: Generator) -> tuple[Floats, Floats]:
    """Colours of ground and figure, from hardly to clearly different."""
    ground = surfaces.colours(count, random)
    return ground, surfaces.contrasting(ground, random, 0.18, 0.6)


def _textured(colour: Floats, random: Generator) -> Floats:
    """Surfaces ``(images, 3, side, side)`` around a colour."""
    amplitude = random.uniform(0.01, 0.1, (len(colour), 1, 1, 1))
    tint = random.normal(0, 0.4, (len(colour), 3, 1, 1)) + random.choice(
        [-1, 1], (len(colour), 1, 1, 1)
    )
    pattern = surfaces.textures(len(colour), SIDE, random)[:, None]
    surface = colour[:, :, None, None] + amplitude * tint * pattern
    return np.asarray(surface, dtype=np.float32)


def _pixels(count: int) -> tuple[Floats, Floats]:
    """Coordinates of pixel centres from the middle of the image, y upwards."""
    place = (np.arange(SIDE) - (SIDE - 1) / 2).astype(np.float32)
    shape = (count, SIDE, SIDE)
    return np.broadcast_to(place, shape), np.broadcast_to(-place[:, None], shape)


def _pose(count: int, random: Generator) -> tuple[Floats, Floats, Floats]:
    """Pixels in the shape's own frame, and the width of a pixel there.

    Shifted by up to 4 pixels, turned by up to 20 degrees, sheared, stretched; a unit of length is
    8.5 to 12.5 pixels.
    """
    shift = random.uniform(-4, 4, (2, count, 1, 1))
    angle = np.deg2rad(random.uniform(-20, 20, (count, 1, 1)))
    shear = random.uniform(-0.2, 0.2, (count, 1, 1))
    stretch = np.exp(random.uniform(-0.15, 0.15, (count, 1, 1)))
    scale = random.uniform(8.5, 12.5, (count, 1, 1))
    across, up = _pixels(count)
    across, up = across - shift[0], up - shift[1]
    turned_x = np.cos(angle) * across + np.sin(angle) * up
    turned_y = np.cos(angle) * up - np.sin(angle) * across
    x = (turned_x - shear * turned_y) / (scale * stretch)
    y = turned_y * stretch / scale
    return x.astype(np.float32), y.astype(np.float32), (1 / scale).astype(np.float32)


def _clutter(
    image: Floats, random: Generator, *, ground: Floats, strokes_at_most: int, widest: float
) -> Floats:
    """``image`` with random strokes over it; radii in pixels."""
    count = len(image)
    x, y = _pixels(count)
    pixel = np.ones((count, 1, 1), dtype=np.float32)
    number = random.integers(0, strokes_at_most + 1, count)
    for index in range(strokes_at_most):
        ends = random.uniform(-17, 17, (count, 2))
        step = random.normal(0, 6, (count, 2))
        radius = random.uniform(0.5, widest, (count, 1))
        stroke = np.concatenate([ends, ends + step, radius], axis=1).astype(np.float32)
        colour = surfaces.contrasting(ground, random, 0.1, 0.5)[:, :, None, None]
        seen = (index < number)[:, None, None]
        covered = strokes.coverage(stroke[:, None], x, y, pixel) * seen
        image = _over(image, colour, covered.astype(np.float32))
    return image


def _camera(image: Floats, random: Generator) -> Floats:
    """Uneven light, a soft lens, noise of the sensor."""
    count = len(image)
    x, y = _pixels(count)
    slope = random.normal(0, 0.15, (2, count, 1, 1)) / SIDE
    light = random.uniform(0.8, 1.2, (count, 1, 1)) * (1 + 2 * (slope[0] * x + slope[1] * y))
    softness = random.uniform(0, 0.8, (count, 1, 1, 1)).astype(np.float32)
    image = image + softness * (_blurred(image) - image)
    noise = random.uniform(0, 0.05, (count, 1, 1, 1)) * random.standard_normal(
        image.shape, dtype=np.float32
    )
    return np.asarray(np.clip(image * light[:, None] + noise, 0, 1), dtype=np.float32)


def _blurred(image: Floats) -> Floats:
    """Binomial 3x3 filter; the border repeats."""
    padded = np.pad(image, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    rows = (padded[:, :, :-2] + 2 * padded[:, :, 1:-1] + padded[:, :, 2:]) / 4
    return np.asarray((rows[..., :-2] + 2 * rows[..., 1:-1] + rows[..., 2:]) / 4)


def _over(below: Floats, above: Floats, coverage: Floats) -> Floats:
    """``above`` painted on ``below`` where ``coverage`` ``(images, height, width)`` says."""
    return below + coverage[:, None] * (above - below)
