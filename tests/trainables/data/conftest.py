"""Small data sets, written in the formats in which the real ones come."""

import hashlib
import pickle
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat
from torchvision.datasets import CIFAR10, CIFAR100, SVHN

from trainables.data import DataConfig

WNIDS = ("n01443537", "n01629819", "n01641577")


def picture(number, height=32, width=32):
    """Unlike every other, smooth, and so little changed by JPEG."""
    random = np.random.default_rng(number)
    coarse = Image.fromarray(random.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    return coarse.resize((width, height), Image.Resampling.BILINEAR)


def pictures(first, count):
    return np.stack([np.asarray(picture(first + number)) for number in range(count)])


def md5(path):
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def write_cifar(kind, root, monkeypatch, *, classes, per_class, key):
    """Pickles of flat images as the authors', and their checksums in torchvision's class."""
    folder = root / kind.base_folder
    folder.mkdir(parents=True)
    lists = {"train_list": kind.train_list, "test_list": kind.test_list}
    for place, (name, files) in enumerate(lists.items()):
        listed = []
        for number, (file, _) in enumerate(files):
            labels = list(range(classes)) * (per_class if name == "train_list" else 2)
            images = pictures(10_000 * place + 1_000 * number, len(labels))
            content = {"data": images.transpose(0, 3, 1, 2).reshape(len(labels), -1), key: labels}
            (folder / file).write_bytes(pickle.dumps(content))
            listed.append([file, md5(folder / file)])
        monkeypatch.setattr(kind, name, listed)
    meta = folder / kind.meta["filename"]
    meta.write_bytes(pickle.dumps({kind.meta["key"]: [f"class {c}" for c in range(classes)]}))
    monkeypatch.setattr(kind, "meta", {**kind.meta, "md5": md5(meta)})
    return {}


def write_svhn(root, monkeypatch):
    """Matlab files whose last axis counts images and whose digit 0 is class 10."""
    root.mkdir(parents=True, exist_ok=True)
    files = {}
    for place, (split, (url, file, _)) in enumerate(SVHN.split_list.items()):
        labels = np.tile(np.arange(1, 11, dtype=np.uint8), 12 if split == "train" else 2)
        images = pictures(10_000 * place, len(labels)).transpose(1, 2, 3, 0)
        savemat(root / file, {"X": images, "y": labels[:, None]})
        files[split] = [url, file, md5(root / file)]
    monkeypatch.setattr(SVHN, "split_list", files)
    return {}


def write_images(folder, names, *, first, ending="JPEG", sizes=((64, 64),)):
    folder.mkdir(parents=True)
    for number, name in enumerate(names):
        height, width = sizes[number % len(sizes)]
        image = picture(first + number, height, width)
        image.save(folder / f"{name}.{ending}", **({"quality": 95} if ending == "JPEG" else {}))


def write_tiny_imagenet(root, per_class=20):
    folder = root / "tiny-imagenet-200"
    for number, wnid in enumerate(WNIDS):
        names = [f"{wnid}_{place}" for place in range(per_class)]
        write_images(folder / "train" / wnid / "images", names, first=1_000 * number)
    names = [f"val_{place}" for place in range(9)]
    write_images(folder / "val" / "images", names, first=50_000)
    lines = [f"{n}.JPEG\t{WNIDS[place % 3]}\t0\t32\t44\t62\n" for place, n in enumerate(names)]
    (folder / "val" / "val_annotations.txt").write_text("".join(lines))
    return folder


def write_folders(folder, classes, per_class, *, first, ending="JPEG", sizes=((40, 50), (70, 33))):
    for number, name in enumerate(classes):
        names = [f"{name}_{place}" for place in range(per_class)]
        start = first + 1_000 * number
        write_images(folder / name, names, first=start, ending=ending, sizes=sizes)
    return {}


def write_imagenet(path):
    write_folders(path / "train", WNIDS, 20, first=0)
    return write_folders(path / "val", WNIDS, 4, first=50_000)


WRITERS = {
    "digits": lambda *_: {"images": 400},
    "glyphs": lambda *_: {"images": 300},
    "cifar10": lambda root, _, monkeypatch: write_cifar(
        CIFAR10, root, monkeypatch, classes=10, per_class=4, key="labels"
    ),
    "cifar100": lambda root, _, monkeypatch: {
        "validation_images": 100,
        **write_cifar(CIFAR100, root, monkeypatch, classes=100, per_class=4, key="fine_labels"),
    },
    "svhn": lambda root, _, monkeypatch: write_svhn(root, monkeypatch),
    "tiny_imagenet": lambda root, *_: {"classes": 3, "root": write_tiny_imagenet(root).parent},
    "imagenet": lambda _, path, __: {
        "classes": 3,
        "path": path,
        "resolution": 16,
        **write_imagenet(path),
    },
    "folder": lambda _, path, __: {
        "path": path,
        "resolution": 16,
        **write_folders(path, ("apes", "bees", "cats"), 40, first=0, ending="png"),
    },
}
"""Each writes the files of a small data set and returns settings that it needs."""


@pytest.fixture
def small(tmp_path, monkeypatch):
    """``small(name, **settings)``: a config of a small data set, whose files are written."""

    def create(name, **settings):
        root, path = tmp_path / "root", tmp_path / "images"
        own = WRITERS[name](root, path, monkeypatch)
        return DataConfig.model_validate(
            {"name": name, "root": root, "batch_size": 8, **own, **settings}
        )

    return create


@pytest.fixture
def changed():
    """``changed(config, **settings)``: the same data set with other settings."""

    def create(config, **settings):
        return DataConfig.model_validate(config.model_dump() | settings)

    return create


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A folder, and the address at which this machine serves it."""
    folder = tmp_path / "server"
    folder.mkdir()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as running:
        Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield folder, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.fixture
def cpu():
    return torch.device("cpu")
