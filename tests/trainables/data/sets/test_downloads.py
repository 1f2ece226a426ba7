"""CIFAR and SVHN from a server that is a folder, and what may go wrong on the way."""

import multiprocessing
import tarfile

import numpy as np
import pytest
import torch
from torchvision.datasets import CIFAR10, SVHN
from torchvision.datasets.utils import calculate_md5

from trainables.data import load_data


@pytest.fixture
def served(small, server, monkeypatch):
    """``served(**settings)``: small CIFAR-10 that only a server has, as the real archive."""

    def create(**settings):
        config = small("cifar10", **settings)
        archive = server[0] / CIFAR10.filename
        folder = config.root / CIFAR10.base_folder
        with tarfile.open(archive, "w:gz") as file:
            file.add(folder, CIFAR10.base_folder)
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        monkeypatch.setattr(CIFAR10, "url", f"{server[1]}/{archive.name}")
        monkeypatch.setattr(CIFAR10, "tgz_md5", calculate_md5(archive))
        return config

    return create


def cut_off(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_cifar_images_and_labels_are_those_of_the_files(small, cpu):
    config = small("cifar10")

    data = load_data(config, cpu)

    kept, test = CIFAR10(config.root, train=True), CIFAR10(config.root, train=False)
    expected = torch.from_numpy(test.data).permute(0, 3, 1, 2)
    assert torch.equal(data.test.pixels, expected)
    assert data.test.labels.tolist() == test.targets
    labels = {image.tobytes(): label for image, label in zip(kept.data, kept.targets, strict=True)}
    for image, label in zip(data.train.pixels, data.train.labels, strict=True):
        assert labels[image.permute(1, 2, 0).numpy().tobytes()] == label


def test_zero_is_class_zero_of_svhn_not_ten(small, cpu):
    config = small("svhn")

    data = load_data(config, cpu)

    assert data.test.labels.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0] * 2
    assert np.array_equal(data.test.pixels.numpy(), SVHN(config.root, "test").data)


def test_what_is_missing_is_downloaded_once(served, cpu, server):
    config = served()

    first = load_data(config, cpu)
    (server[0] / CIFAR10.filename).unlink()
    again = load_data(config.model_copy(update={"split_seed": 1}), cpu)

    assert len(first.train) == len(again.train) == 180
    assert len(again.test) == 20


@pytest.mark.parametrize("left_over", ["archive", "batch"])
def test_an_interrupted_download_is_repaired_by_the_next_run(served, cpu, server, left_over):
    config = served()
    archive = server[0] / CIFAR10.filename
    if left_over == "archive":
        config.root.joinpath(CIFAR10.filename).write_bytes(archive.read_bytes()[:1_000])
    else:
        with tarfile.open(archive) as file:
            file.extractall(config.root, filter="data")
        cut_off(config.root / CIFAR10.base_folder / "data_batch_2")

    data = load_data(config, cpu)

    assert len(data.train) == 180


def test_without_a_network_a_sentence_says_where_the_archive_belongs(served, cpu, server):
    config = served()
    (server[0] / CIFAR10.filename).unlink()
    sentence = (
        r"^data set 'cifar10' could not be downloaded from http://.*cifar-10-python\.tar\.gz \(.*"
        r"\); run again, or put cifar-10-python\.tar\.gz into .*root yourself, whole$"
    )

    with pytest.raises(ValueError, match=sentence):
        load_data(config, cpu)


def test_an_archive_that_is_damaged_on_the_server_is_refused(served, cpu, server):
    config = served()
    cut_off(server[0] / CIFAR10.filename)

    with pytest.raises(ValueError, match=r"'cifar10' could not be downloaded from .*corrupted"):
        load_data(config, cpu)


@pytest.mark.parametrize(
    ("name", "file"),
    [("cifar10", "cifar-10-batches-py/data_batch_3"), ("svhn", "train_32x32.mat")],
)
def test_a_damaged_file_is_named_where_nothing_may_be_downloaded(small, cpu, name, file):
    config = small(name, loading={"download": False})
    cut_off(config.root / file)

    with pytest.raises(ValueError, match=rf"{file} is damaged or cut off .*loading\.download"):
        load_data(config, cpu)


def test_a_missing_file_is_named_where_nothing_may_be_downloaded(served, cpu):
    config = served(loading={"download": False})

    with pytest.raises(ValueError, match="data_batch_1 is not there; set data"):
        load_data(config, cpu)


def test_a_pickle_that_is_not_the_authors_is_never_opened(small, cpu, tmp_path):
    config = small("cifar10", loading={"download": False})
    trap = tmp_path / "sprung"
    batch = config.root / "cifar-10-batches-py" / "data_batch_1"
    batch.write_bytes(f"cposix\nsystem\n(S'touch {trap}'\ntR.".encode())

    with pytest.raises(ValueError, match="data_batch_1 is damaged"):
        load_data(config, cpu)

    assert not trap.exists()


def test_processes_that_start_together_all_get_the_data(served, cpu):
    config = served()
    context = multiprocessing.get_context("fork")

    with context.Pool(3) as pool:
        counts = pool.starmap(count_training_images, [(config, cpu)] * 3)

    assert counts == [180, 180, 180]


def count_training_images(config, device):
    torch.set_num_threads(1)
    return len(load_data(config, device).train)


def test_a_share_of_the_images_keeps_the_shares_of_the_classes(small, cpu):
    config = small("cifar10", images=200, validation_images=20, test_images=10)

    data = load_data(config, cpu)

    assert [len(data.train), len(data.validation), len(data.test)] == [170, 20, 10]
    assert data.train.labels.bincount().tolist() == [17] * 10
    assert data.validation.labels.bincount().tolist() == [2] * 10
    assert data.test.labels.tolist().count(3) == 1


def test_the_first_classes_can_be_had_alone(small, cpu):
    data = load_data(small("cifar10", classes=3), cpu)

    assert data.num_classes == 3
    assert data.train.labels.unique().tolist() == data.test.labels.unique().tolist() == [0, 1, 2]


def test_more_test_images_than_there_are_are_refused(small, cpu):
    data = load_data(small("cifar10", test_images=30), cpu)

    with pytest.raises(ValueError, match=r"data\.test_images of .* must be from 10 to 10, so that"):
        data.open_test()
