"""How many images go where, and what cannot be."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from trainables.data.config import DataConfig

MOST_HELD_OUT = 5_000
"""Images of a split that is held out of another, where the config does not say how many."""

TEST_SHARE = 6
"""One in so many of ``data.images`` is for the test split."""


class Sizes(NamedTuple):
    """Images per split."""

    train: int
    validation: int
    test: int


def pooled_sizes(
    config: "DataConfig", train: int, test: int, most_test: int | None = None
) -> Sizes:
    """Of a data set with a part for training, of which validation is held out, and one for test.

    Args:
        config: may ask for fewer images and for the size of splits.
        train: images of the part for training.
        test: images of the part for testing; 0 where test is held out of the other part as well.
        most_test: of them, where the config does not say how many.
    """
    together = config.images or train + test
    for_test = config.test_images or _test_images(config, train, test, most_test)
    if test and config.images is None:
        together = train + for_test  # all that is for training, however few are for test
    rest = together - for_test
    validation = config.validation_images or min(MOST_HELD_OUT, rest // 10)
    return Sizes(rest - validation, validation, for_test)


def _test_images(config: "DataConfig", train: int, test: int, most: int | None) -> int:
    if config.images is not None:
        share = config.images // TEST_SHARE
        return min(share, test) if test else share
    return min(test, most or test) if test else min(MOST_HELD_OUT, train // 10)


def check_sizes(sizes: Sizes, config: "DataConfig", classes: int) -> None:
    """See that every split can show every class, and that some are left to train on.

    Raises:
        ValueError: otherwise.
    """
    kind = f"data set {config.name!r} with {classes} classes"
    for name in ("validation", "test"):
        size = getattr(sizes, name)
        if size < classes:
            raise ValueError(
                f"data.{name}_images of {kind} must be at least {classes}, one per class, "
                f"got {size}"
            )
    if sizes.train < classes:
        raise ValueError(
            f"data.validation_images and data.test_images of {kind} must leave at least {classes} "
            f"training images, one per class, got {sizes.validation} and {sizes.test}, which "
            f"leave {sizes.train}"
        )


def check_batch_size(field: str, batch_size: int, train: int, config: "DataConfig") -> None:
    """See that a batch is not larger than the training set.

    Raises:
        ValueError: if it is.
    """
    if batch_size > train:
        raise ValueError(
            f"{field} must be at most {train}, the number of training images of data set "
            f"{config.name!r}, got {batch_size}"
        )


def check_augmentation(config: "DataConfig", image_shape: Sequence[int]) -> None:
    """See that augmentation leaves something of every image.

    Raises:
        ValueError: if a crop may lie beside the image, or a square cover all of it.
    """
    side = min(image_shape[1:])
    for name in ("crop_padding", "cutout"):
        if getattr(config, name) >= side:
            raise ValueError(
                f"data.{name} must be less than {side}, the side in pixels of the images of data "
                f"set {config.name!r}, got {getattr(config, name)}"
            )


def nominal(train: int, test: int, max_classes: int) -> Callable[["DataConfig"], Sizes]:
    """Sizes of a data set with as many images of every class."""

    def sizes(config: "DataConfig") -> Sizes:
        assert config.classes is not None, "filled in where none is given"
        share = config.classes / max_classes
        return pooled_sizes(config, round(train * share), round(test * share))

    return sizes
