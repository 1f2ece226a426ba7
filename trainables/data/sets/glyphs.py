"""Glyphs: drawn from a seed, so that there is something in colour where nothing is downloaded."""

from typing import TYPE_CHECKING

from trainables.data.sets.base import Parts
from trainables.data.sizes import Sizes
from trainables.data.sources import Levels, Part
from trainables.glyphs import stored
from trainables.splits import hold_out

if TYPE_CHECKING:
    from trainables.data.config import DataConfig

NUM_GLYPHS = 60_000


def glyphs_sizes(config: "DataConfig") -> Sizes:
    """45,000, 5,000 and 10,000, or the same shares of fewer images."""
    count = config.images or NUM_GLYPHS
    test = config.test_images or count // 6
    validation = config.validation_images or (count - test) // 10
    return Sizes(count - test - validation, validation, test)


def load_glyphs(config: "DataConfig") -> Parts:
    """Shapes at 32x32 pixels in colour; training and test images come from different seeds."""
    sizes, classes = glyphs_sizes(config), config.classes
    assert classes is not None, "filled in where none is given"
    num_rest = sizes.train + sizes.validation
    rest = Part.whole(Levels(*stored(num_rest, classes, seed=0, root=config.root)))
    train, validation = hold_out(rest.labels, sizes.validation, seed=config.split_seed)

    def test() -> Part:
        return Part.whole(Levels(*stored(sizes.test, classes, seed=1, root=config.root)))

    return Parts(rest.take(train), rest.take(validation), test, classes)
