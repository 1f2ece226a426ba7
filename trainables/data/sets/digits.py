"""scikit-learn's digits: small, real, and installed with it."""

from typing import TYPE_CHECKING

import numpy as np

from trainables.data.sets.base import Parts
from trainables.data.sizes import Sizes
from trainables.data.sources import Levels, Part
from trainables.splits import hold_out

if TYPE_CHECKING:
    from trainables.data.config import DataConfig


IMAGES = (178, 182, 177, 183, 181, 182, 181, 179, 174, 180)
"""Of every digit."""


def num_digits(classes: int) -> int:
    """Images of the first so many digits."""
    return sum(IMAGES[:classes])


def digits_sizes(config: "DataConfig") -> Sizes:
    """1,200, 297 and 300, or the same shares of fewer images."""
    count = config.num_images
    assert count is not None, "the number of digits is known"
    test = config.test_images or round(count * 300 / 1797)
    validation = config.validation_images or round(count * 297 / 1797)
    return Sizes(count - test - validation, validation, test)


def load_digits(config: "DataConfig") -> Parts:
    """1,797 digits of 8x8 pixels in 17 grey levels."""
    from sklearn import datasets  # heavy: not to look at a study

    loaded, sizes = datasets.load_digits(n_class=config.classes), digits_sizes(config)
    count = sum(sizes)
    levels = loaded.images[:count, None].astype(np.uint8)
    whole = Part.whole(Levels(levels, loaded.target[:count].astype(np.int64), highest=16))
    rest, test = hold_out(whole.labels, sizes.test, seed=config.split_seed)
    train, validation = hold_out(whole.labels[rest], sizes.validation, seed=config.split_seed)
    assert config.classes is not None, "filled in where none is given"
    return Parts(
        train=whole.take(rest[train]),
        validation=whole.take(rest[validation]),
        test=lambda: whole.take(test),
        num_classes=config.classes,
    )
