import shutil
from pathlib import Path

import pytest
from torchvision.datasets.utils import calculate_md5

from trainables.data import load_data
from trainables.data.sets import tiny_imagenet


@pytest.fixture
def zipped(small, server, monkeypatch):
    """``zipped(**settings)``: small Tiny-ImageNet that only a server has, as the real archive."""

    def create(**settings):
        config = small("tiny_imagenet", **settings)
        name = server[0] / "tiny-imagenet-200"
        archive = Path(shutil.make_archive(name, "zip", config.root, "tiny-imagenet-200"))
        shutil.rmtree(config.root / "tiny-imagenet-200")
        monkeypatch.setattr(tiny_imagenet, "URL", f"{server[1]}/{archive.name}")
        monkeypatch.setattr(tiny_imagenet, "MD5", calculate_md5(archive))
        return config

    return create


def test_the_archive_is_downloaded_and_unpacked_beside_its_place(zipped, cpu):
    config = zipped()

    data = load_data(config, cpu)

    assert [len(data.train), len(data.validation), len(data.test)] == [54, 6, 9]
    assert sorted(path.name for path in config.root.iterdir() if path.is_dir()) == [
        "tiny-imagenet-200"
    ]


def test_an_archive_that_is_there_needs_no_download(zipped, cpu, server):
    config = zipped(loading={"download": False})
    shutil.move(server[0] / "tiny-imagenet-200.zip", config.root)

    assert len(load_data(config, cpu).train) == 54


def test_a_download_that_was_cut_off_is_begun_again(zipped, cpu):
    config = zipped()
    (config.root / "tiny-imagenet-200.zip").write_bytes(b"PK\x03\x04")

    assert len(load_data(config, cpu).train) == 54


def test_where_nothing_may_be_downloaded_a_sentence_says_what_to_do(zipped, cpu):
    config = zipped(loading={"download": False})

    with pytest.raises(ValueError, match=r"nor a whole tiny-imagenet-200\.zip is there; set data"):
        load_data(config, cpu)


def test_without_a_network_a_sentence_says_where_the_archive_belongs(zipped, cpu, server):
    config = zipped()
    (server[0] / "tiny-imagenet-200.zip").unlink()

    with pytest.raises(ValueError, match=r"run again, or put tiny-imagenet-200\.zip into"):
        load_data(config, cpu)


def test_test_labels_are_those_of_the_table(small, cpu):
    data = load_data(small("tiny_imagenet"), cpu)

    assert data.test.labels.tolist() == [0, 1, 2] * 3


@pytest.mark.parametrize("line", ["val_9.JPEG\tn99999999\t0\t0\t9\t9\n", "val_9.JPEG\n"])
def test_a_table_that_was_tampered_with_is_refused(small, cpu, line):
    config = small("tiny_imagenet")
    with (config.root / "tiny-imagenet-200/val/val_annotations.txt").open("a") as file:
        file.write(line)

    with pytest.raises(ValueError, match="one of the 3 classes of the training images in every"):
        load_data(config, cpu)


def test_a_folder_without_the_table_is_refused_with_the_layout(small, cpu):
    config = small("tiny_imagenet")
    (config.root / "tiny-imagenet-200/val/val_annotations.txt").unlink()

    with pytest.raises(ValueError, match=r"val_annotations\.txt is not there; expected layout"):
        load_data(config, cpu)
