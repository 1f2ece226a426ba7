"""Tiny-ImageNet: 200 classes of ImageNet at 64x64 pixels."""

import csv
import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import numpy as np
from torchvision.datasets.utils import check_integrity, download_url, extract_archive

from trainables.data.locks import locked
from trainables.data.sets.base import Parts, Pools, split_pools
from trainables.data.sets.downloads import downloading
from trainables.data.sets.folders import class_folders, image_files, listed
from trainables.data.sources import Part

if TYPE_CHECKING:
    from trainables.data.config import DataConfig

URL = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"
MD5 = "90528d7ca1a48142e341f4ef8d21d0de"
FOLDER = "tiny-imagenet-200"
LAYOUT = "train/<wnid>/images/<image>.JPEG, val/images/<image>.JPEG and val/val_annotations.txt"


def load_tiny_imagenet(config: "DataConfig") -> Parts:
    """95,000 train and 5,000 validation images; the 10,000 of ``val``, which have labels, test."""
    folder = config.root.expanduser() / FOLDER
    if not folder.is_dir():
        _unpack(config)
    classes = class_folders(folder / "train", LAYOUT)
    pool = image_files(folder / "train", classes, config)
    test = _annotated(folder / "val", classes, config)
    return split_pools(Pools(pool, lambda: test, len(test), len(classes)), config)


def _unpack(config: "DataConfig") -> None:
    """Make the folder from the archive, which is downloaded where it is missing."""
    root = config.root.expanduser()
    archive = root / URL.rpartition("/")[2]
    with locked(root, config.name), downloading(config.name, URL, root):
        if (root / FOLDER).is_dir():  # another process has been here
            return
        if not check_integrity(archive, MD5):
            if not config.loading.download:
                raise ValueError(
                    f"data set {config.name!r} cannot be read: neither {root / FOLDER} nor a whole "
                    f"{archive.name} is there; set data.loading.download to true, or put {URL} "
                    "there"
                )
            download_url(URL, str(root), md5=MD5)
        unpacked = Path(mkdtemp(prefix=".unpacking-", dir=root))
        try:
            extract_archive(archive, unpacked)
            (unpacked / FOLDER).replace(root / FOLDER)  # a folder that is there is whole
        finally:
            shutil.rmtree(unpacked)


def _annotated(folder: Path, classes: list[str], config: "DataConfig") -> Part:
    """Images whose class is in a table of tab-separated values: file, wnid, and a box."""
    table = folder / "val_annotations.txt"
    if not table.is_file():
        raise ValueError(f"{table} is not there; expected layout: {LAYOUT}")
    with table.open(newline="") as file:
        rows = [row[:2] for row in csv.reader(file, delimiter="\t")]
    numbers = {name: number for number, name in enumerate(classes)}
    strange = [row for row in rows if len(row) < 2 or row[1] not in numbers]
    if strange:
        raise ValueError(
            f"{table} must name an image and one of the {len(classes)} classes of the training "
            f"images in every line, got {strange[0]}"
        )
    labels = np.asarray([numbers[wnid] for _, wnid in rows], dtype=np.int64)
    return listed([str(folder / "images" / name) for name, _ in rows], labels, classes, config)
