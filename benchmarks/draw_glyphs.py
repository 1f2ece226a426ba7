"""Contact sheets of the data set `glyphs`: ten images of ten classes, one of a hundred classes.

PYTHONPATH=. python benchmarks/draw_glyphs.py docs/images/glyphs.png --colours 128 --zoom 2
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainables.glyphs import generate


def sheet(images: NDArray[np.uint8], columns: int, gap: int = 2) -> NDArray[np.uint8]:
    """Images ``(count, 3, side, side)`` in rows on white, ``(height, width, 3)``."""
    padded = np.pad(images, ((0, 0), (0, 0), (0, gap), (0, gap)), constant_values=255)
    rows = padded.reshape(-1, columns, *padded.shape[1:])
    joined = rows.transpose(0, 3, 1, 4, 2)
    return joined.reshape(joined.shape[0] * joined.shape[1], -1, 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path, help="PNG to write")
    parser.add_argument("--zoom", type=int, default=1, help="pixels of the PNG per pixel")
    parser.add_argument("--colours", type=int, help="of a palette, for a smaller file")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    ten, _ = generate(100, 10, arguments.seed)
    hundred, _ = generate(100, 100, arguments.seed)
    # a column per class on the left; on the right a column per outline and a row per mark
    left, right = sheet(ten, 10), sheet(hundred, 10)
    between = np.full((len(left), 12, 3), 255, dtype=np.uint8)
    both = np.concatenate([left, between, right], axis=1)
    picture = Image.fromarray(both)
    if arguments.colours:
        picture = picture.quantize(arguments.colours, dither=Image.Dither.NONE)
    zoomed = picture.resize((picture.width * arguments.zoom, picture.height * arguments.zoom), 0)
    zoomed.save(arguments.path, optimize=True)
    print(f"{arguments.path}: {arguments.path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
