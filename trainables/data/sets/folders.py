"""Folders of image files: one folder per class."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from torchvision.datasets.folder import IMG_EXTENSIONS, make_dataset

from trainables.data.decoding import ImageFiles
from trainables.data.sets.base import Parts, Pools, split_pools
from trainables.data.sources import Part

if TYPE_CHECKING:
    from trainables.data.config import DataConfig


def load_folder(config: "DataConfig") -> Parts:
    """Any folder of images; classes are its subfolders in alphabetical order.

    With a subfolder ``train``, that is for training, and ``test``, or else ``val``, for testing;
    without, or where there is neither, test images are held out by class.
    """
    root = _expanded(config)
    train = root / "train" if (root / "train").is_dir() else root
    others = [root / name for name in ("test", "val") if (root / name).is_dir()]
    classes = class_folders(train, "<class>/<image>, or train/<class>/<image> and test/…")
    pool = image_files(train, classes, config)
    if train == root or not others:
        return split_pools(Pools(pool, None, 0, len(classes)), config)
    return split_pools(_with_test(pool, others[0], classes, config), config)


def load_imagenet(config: "DataConfig") -> Parts:
    """ImageNet as unpacked for torchvision: 1,281,167 images in ``train``, 50,000 in ``val``."""
    root, layout = _expanded(config), "train/<wnid>/<image>.JPEG and val/<wnid>/<image>.JPEG"
    classes = class_folders(root / "train", layout)
    pool = image_files(root / "train", classes, config)
    pools = _with_test(pool, root / "val", classes, config)
    return split_pools(pools._replace(most_test=5_000), config)


def _with_test(pool: Part, folder: Path, classes: Sequence[str], config: "DataConfig") -> Pools:
    found = class_folders(folder, f"{folder.name}/<class>/<image>")
    if found != classes:
        odd = sorted(set(found) ^ set(classes))
        raise ValueError(
            f"{folder} must have the same {len(classes)} class folders as the training images, "
            f"but only one of them has {', '.join(odd[:3])}"
        )
    test = image_files(folder, classes, config)
    return Pools(pool, lambda: test, len(test), len(classes))


def _expanded(config: "DataConfig") -> Path:
    assert config.path is not None, "a data set that needs a path is refused without one"
    return config.path.expanduser()


def class_folders(folder: Path, layout: str) -> list[str]:
    """Names of the subfolders that are not hidden, sorted.

    Raises:
        ValueError: if there are fewer than two; the sentence shows the ``layout`` expected.
    """
    inside = folder.iterdir() if folder.is_dir() else ()
    found = sorted(p.name for p in inside if p.is_dir() and not p.name.startswith("."))
    if len(found) < 2:
        raise ValueError(
            f"{folder} must hold at least 2 folders of images, one per class, got {len(found)}; "
            f"expected layout: {layout}"
        )
    return found


def image_files(folder: Path, classes: Sequence[str], config: "DataConfig") -> Part:
    """All image files below the class folders, undecoded, each once.

    What is hidden is left out: thumbnails and copies that editors and file systems keep.

    Raises:
        ValueError: if a class has none.
    """
    numbers = {name: number for number, name in enumerate(classes)}
    found = make_dataset(folder, numbers, IMG_EXTENSIONS, allow_empty=True)
    shown = [one for one in found if f"{os.sep}." not in one[0][len(str(folder)) :]]
    files, labels = zip(*_once(shown), strict=True) if shown else ((), ())
    return listed(files, np.asarray(labels, dtype=np.int64), classes, config)


def _once(found: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Without files of a class that a link to a folder shows again, as one to its parent does."""
    places = [(*file.rpartition(os.sep)[::2], label) for file, label in found]
    real = {parent: Path(parent).resolve() for parent in {place[0] for place in places}}
    first: dict[tuple[Path, str, int], tuple[str, int]] = {}
    for one, (parent, name, label) in zip(found, places, strict=True):
        first.setdefault((real[parent], name, label), one)
    return list(first.values())


def listed(
    files: Sequence[str], labels: np.ndarray, classes: Sequence[str], config: "DataConfig"
) -> Part:
    """Image files with their labels.

    Raises:
        ValueError: if a class has none.
    """
    empty = np.flatnonzero(np.bincount(labels, minlength=len(classes)) == 0)
    if len(empty):
        raise ValueError(
            f"every class of data set {config.name!r} must have images, but there are none of "
            f"{classes[empty[0]]!r}; image files end in {', '.join(IMG_EXTENSIONS)}"
        )
    assert config.resolution is not None, "image files are refused without a resolution"
    names = np.asarray([os.fsencode(file) for file in files])
    return Part.whole(ImageFiles(names, labels, config.resolution))
