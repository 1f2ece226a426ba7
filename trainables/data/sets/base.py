"""What a data set says of itself, and how one with a training and a test part is split."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trainables.data.cache import cached
from trainables.data.sizes import Sizes, check_sizes, pooled_sizes
from trainables.data.sources import Part
from trainables.splits import hold_out

if TYPE_CHECKING:
    from trainables.data.config import DataConfig


class Parts(NamedTuple):
    """Three disjoint splits that are not decoded yet."""

    train: Part
    validation: Part
    test: Callable[[], Part]
    num_classes: int


class DataSet(NamedTuple):
    """Where images come from, and what is known of them before anything is read."""

    load: Callable[["DataConfig"], Parts]
    classes: int | None = None
    """Where the config names no number; None: as many as there are folders."""
    max_classes: int | None = None
    num_images: Callable[[int], int] | None = None
    """By the number of classes, in all splits together; None: only the files tell."""
    sizes: "Callable[[DataConfig], Sizes] | None" = None
    """Images per split, where they are known."""
    resolution: int | None = None
    """Where the config names none."""
    has_files: bool = False
    """Whether images are files that are decoded and resized."""
    needs_path: bool = False


class Pools(NamedTuple):
    """Images as their authors have divided them."""

    train: Part
    test: Callable[[], Part] | None
    """None where there are none for testing."""
    num_test: int
    num_classes: int
    most_test: int | None = None
    """Test images where the config does not say how many."""


def split_pools(pools: Pools, config: "DataConfig") -> Parts:
    """Hold validation out of the training images, and choose as many images as were asked for.

    Every choice has the same share of every class and follows from ``config.split_seed``.

    Raises:
        ValueError: if there are not enough images.
    """
    classes = config.classes or pools.num_classes
    if classes > pools.num_classes:
        raise ValueError(
            f"data.classes of data set {config.name!r} must be from 2 to {pools.num_classes}, "
            f"got {classes}"
        )
    pool = _of_classes(pools.train, classes)
    sizes = pooled_sizes(config, len(pool), pools.num_test, pools.most_test)
    check_sizes(sizes, config, classes)
    asked = sizes.train + sizes.validation + (0 if pools.test else sizes.test)
    pool = _cached(_choose(pool, asked, "data.images less the test images", config), config)
    held_out = None
    if pools.test is None:
        pool, held_out = divide(pool, sizes.test, "data.test_images", config)
    train, validation = divide(pool, sizes.validation, "data.validation_images", config)

    def test() -> Part:
        return held_out or _official_test(pools, sizes.test, classes, config)

    return Parts(train, validation, test, classes)


def _official_test(pools: Pools, count: int, classes: int, config: "DataConfig") -> Part:
    assert pools.test is not None, "where there is none, it is held out"
    whole = _of_classes(pools.test(), classes)
    if not config.test_images:  # a default may be more than there is; what was asked for may not
        count = min(count, len(whole))
    return _cached(_choose(whole, count, "data.test_images", config), config)


def divide(part: Part, count: int, field: str, config: "DataConfig") -> tuple[Part, Part]:
    """What stays, and ``count`` images that are held out by class.

    Raises:
        ValueError: if a class cannot be in both; ``field`` says whose fault it is.
    """
    labels = part.labels
    names, members = np.unique(labels, return_counts=True)
    if members.min() < 2:
        raise ValueError(
            f"every class of data set {config.name!r} must have at least 2 images to be split, but "
            f"class {names[members.argmin()]} has {members.min()}"
        )
    if not len(names) <= count <= len(labels) - len(names):
        raise ValueError(
            f"{field} of data set {config.name!r} must be from {len(names)} to "
            f"{len(labels) - len(names)}, so that every class is on both sides, got {count}"
        )
    rest, held_out = hold_out(labels, count, seed=config.split_seed)
    return part.take(rest), part.take(held_out)


def _choose(part: Part, count: int, field: str, config: "DataConfig") -> Part:
    return part if count == len(part) else divide(part, count, field, config)[1]


def _of_classes(part: Part, classes: int) -> Part:
    return part.take(np.flatnonzero(part.labels < classes))


def _cached(part: Part, config: "DataConfig") -> Part:
    if config.loading.cache == "none":
        return part
    return cached(part, config.root.expanduser(), workers=config.loading.num_workers)
