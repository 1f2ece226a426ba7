"""CIFAR-10, CIFAR-100 and SVHN, as torchvision knows them."""

import http.client
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from torchvision.datasets import CIFAR10, CIFAR100, SVHN
from torchvision.datasets.utils import check_integrity

from trainables.data.locks import locked
from trainables.data.sets.base import Parts, Pools, split_pools
from trainables.data.sources import Levels, Part

if TYPE_CHECKING:
    from trainables.data.config import DataConfig

Checksums: TypeAlias = list[tuple[str, str]]
"""Files, relative to the root, and their MD5."""


@contextmanager
def downloading(name: str, url: str, root: Path) -> Iterator[None]:
    """Errors of a download, of unpacking, and of disks, as one sentence with a remedy.

    Raises:
        ValueError: instead of them.
    """
    try:
        yield
    except (OSError, RuntimeError, EOFError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        archive = url.rpartition("/")[2]
        raise ValueError(
            f"data set {name!r} could not be downloaded from {url} ({reason}); run again, or put "
            f"{archive} into {root} yourself, whole"
        ) from error


def missing_or_damaged(checksums: Checksums, root: Path) -> str:
    """A clause about the first file that is not as its authors have made it; or nothing."""
    for file, md5 in checksums:
        if not (root / file).is_file():
            return f"{root / file} is not there"
        if not check_integrity(root / file, md5):
            return f"{root / file} is damaged or cut off (its MD5 is not {md5})"
    return ""


def fetch(
    config: "DataConfig", url: str, checksums: Checksums, download: Callable[[], object]
) -> None:
    """See that all files are there and whole, and download them where that is allowed.

    Raises:
        ValueError: if they are not.
    """
    name, root = config.name, config.root.expanduser()
    if not missing_or_damaged(checksums, root):
        return
    if not config.loading.download:
        raise ValueError(
            f"data set {name!r} cannot be read: {missing_or_damaged(checksums, root)}; set "
            f"data.loading.download to true, or put the files from {url} there"
        )
    with locked(root, name), downloading(name, url, root):
        download()  # which does nothing where another process has been in the meantime
        if clause := missing_or_damaged(checksums, root):
            raise RuntimeError(clause)


def load_cifar10(config: "DataConfig") -> Parts:
    """60,000 images of 32x32 pixels: 45,000 train, 5,000 validation, 10,000 test."""
    return _cifar(config, CIFAR10, 10)


def load_cifar100(config: "DataConfig") -> Parts:
    """The same sizes in 100 classes."""
    return _cifar(config, CIFAR100, 100)


def _cifar(config: "DataConfig", kind: type[CIFAR10], num_classes: int) -> Parts:
    root = config.root.expanduser()
    listed = [*kind.train_list, *kind.test_list, [kind.meta["filename"], kind.meta["md5"]]]
    checksums = [(f"{kind.base_folder}/{file}", md5) for file, md5 in listed]

    def part(train: bool) -> Part:
        fetch(config, kind.url, checksums, lambda: kind(root, download=True))
        # its files are pickles: torchvision opens none whose MD5 it has not checked
        found = kind(root, train=train)
        levels = np.ascontiguousarray(found.data.transpose(0, 3, 1, 2))
        return Part.whole(Levels(levels, np.asarray(found.targets, dtype=np.int64)))

    return split_pools(Pools(part(True), lambda: part(False), 10_000, num_classes), config)


def load_svhn(config: "DataConfig") -> Parts:
    """99,289 house numbers of 32x32 pixels: 68,257 train, 5,000 validation, 26,032 test."""
    root = config.root.expanduser()

    def part(split: str) -> Part:
        url, file, md5 = SVHN.split_list[split]
        fetch(config, url, [(file, md5)], lambda: SVHN(root, split, download=True))
        found = SVHN(root, split)
        return Part.whole(Levels(np.ascontiguousarray(found.data), found.labels))

    return split_pools(Pools(part("train"), lambda: part("test"), 26_032, 10), config)
