import hashlib
import zipfile

import numpy as np
import pytest
import torch

from trainables.data import DataConfig, batches, load_data
from trainables.data.config import ExtraConfig
from trainables.data.extra import open_extra
from trainables.workers.ranks import Ranks

SHAPE, CLASSES = (3, 4, 5), 10
IMAGES = np.random.default_rng(0).integers(0, 256, (30, 4, 5, 3), dtype=np.uint8)
LABELS = np.arange(30) % 10


def opened(path, **settings):
    return open_extra(ExtraConfig(path=path, **settings), SHAPE, CLASSES)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("keys", [("image", "label"), ("images", "labels")])
@pytest.mark.parametrize("axes", [(0, 1, 2, 3), (0, 3, 1, 2)], ids=["channels last", "first"])
@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.int32])
def test_images_and_labels_are_those_of_the_file(tmp_path, save, keys, axes, dtype):
    path = tmp_path / "extra.npz"
    save(path, **dict(zip(keys, (IMAGES.transpose(axes), LABELS.astype(dtype)), strict=True)))

    part = opened(path)

    assert np.array_equal(part.levels(), IMAGES.transpose(0, 3, 1, 2))
    assert part.labels.dtype == np.int64
    assert np.array_equal(part.labels, LABELS)


def test_images_that_are_stored_uncompressed_stay_on_disk(tmp_path):
    np.savez(tmp_path / "stored.npz", image=IMAGES, label=LABELS)
    np.savez_compressed(tmp_path / "compressed.npz", image=IMAGES, label=LABELS)

    stored, compressed = (
        opened(tmp_path / f"{name}.npz").source.images.base for name in ("stored", "compressed")
    )

    assert isinstance(stored, np.memmap)
    assert not isinstance(compressed, np.memmap)


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_order_of_axes_in_memory_makes_no_difference(tmp_path, order):
    np.savez(tmp_path / "extra.npz", image=np.asarray(IMAGES, order=order), label=LABELS)

    assert np.array_equal(opened(tmp_path / "extra.npz").levels(), IMAGES.transpose(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"image": IMAGES[:, 1:], "label": LABELS}, r"must be uint8 of 4x5 pixels and 3 channels"),
        ({"image": IMAGES / 255, "label": LABELS}, r"got float64 of shape \(30, 4, 5, 3\)"),
        ({"image": IMAGES, "label": LABELS[1:]}, r"must be 30 whole numbers, .* shape \(29,\)"),
        ({"image": IMAGES, "label": LABELS / 1.0}, "must be 30 whole numbers, .* got float64"),
        ({"image": IMAGES, "label": LABELS + 1}, r"must be from 0 to 9, got 1 to 10"),
        ({"image": IMAGES, "label": LABELS - 1}, r"must be from 0 to 9, got -1 to 8"),
        ({"image": IMAGES[:0], "label": LABELS[:0]}, "must be from 0 to 9, got none"),
        ({"x": IMAGES, "label": LABELS}, r"no 'image' or 'images', only 'x\.npy', 'label\.npy'"),
        ({"image": IMAGES, "label": np.array([object()])}, "Python objects, which are not loaded"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, content, sentence):
    np.savez(tmp_path / "extra.npz", allow_pickle=True, **content)

    with pytest.raises(ValueError, match=sentence):
        opened(tmp_path / "extra.npz")


def test_a_file_that_is_missing_or_cut_off_is_refused(tmp_path):
    path = tmp_path / "extra.npz"
    np.savez(path, image=IMAGES, label=LABELS)
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(ValueError, match=r"must be a whole npz file .*extra\.npz"):
        opened(path)
    with pytest.raises(ValueError, match=r"must be an npz file, but .*other\.npz is not there"):
        opened(tmp_path / "other.npz")


def test_another_file_than_the_one_that_was_meant_is_refused(tmp_path):
    path = tmp_path / "extra.npz"
    np.savez(path, image=IMAGES, label=LABELS)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()

    part = opened(path, sha256=digest)

    assert len(part) == 30
    with pytest.raises(ValueError, match=rf"got {'0' * 64}, but the file's is {digest}"):
        opened(path, sha256="0" * 64)


@pytest.mark.parametrize("name", ["digits", "cifar10"])
def test_mixed_batches_are_the_same_on_the_device_and_streamed(small, changed, cpu, tmp_path, name):
    plain = load_data(small(name, batch_size=16, loading={"workers": 0}), cpu)
    images = np.random.default_rng(1).integers(0, 256, (50, *plain.image_shape), np.uint8)
    np.savez(tmp_path / "extra.npz", image=images, label=np.arange(50) % 10)
    extra = {"path": tmp_path / "extra.npz", "ratio": 0.5}
    config = DataConfig(name=name, root=tmp_path / "root", extra=extra, flip=True, batch_size=16)
    config = changed(config, images=400 if name == "digits" else None)

    kept, streamed = (
        load_data(changed(config, loading={"storage": storage, "workers": 0}), cpu)
        for storage in ("device", "stream")
    )
    one, other = (
        list(batches(data.train, config, torch.Generator().manual_seed(0)))
        for data in (kept, streamed)
    )
    parts = [
        list(batches(streamed.train, config, torch.Generator().manual_seed(0), Ranks(rank, 2)))
        for rank in (0, 1)  # the first has no extra image, the second nothing else
    ]

    assert len(kept.train) == len(streamed.train) == len(plain.train)
    assert kept.train.num_extra == streamed.train.num_extra == 50
    assert torch.equal(kept.train.first(5), streamed.train.first(5))
    assert kept.mean == streamed.mean == plain.mean
    assert len(one) == len(other) == len(plain.train) // 16
    for (images_1, labels_1), (images_2, labels_2) in zip(one, other, strict=True):
        assert torch.equal(images_1, images_2)
        assert torch.equal(labels_1, labels_2)
    for (images, labels), *shares in zip(one, *parts, strict=True):
        assert torch.equal(images, torch.cat([part for part, _ in shares]))
        assert torch.equal(labels, torch.cat([part for _, part in shares]))


def test_an_array_that_says_it_is_longer_than_it_is_is_refused(tmp_path):
    np.savez(tmp_path / "whole.npz", image=IMAGES, label=LABELS)
    with (
        zipfile.ZipFile(tmp_path / "whole.npz") as whole,
        zipfile.ZipFile(tmp_path / "short.npz", "w") as short,
    ):
        short.writestr("image.npy", whole.read("image.npy")[:-5])
        short.writestr("label.npy", whole.read("label.npy"))

    with pytest.raises(ValueError, match=r"image\.npy does not hold the 1800 values it says"):
        opened(tmp_path / "short.npz")
