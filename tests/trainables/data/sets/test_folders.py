import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from trainables.data import DataConfig, load_data


def test_test_images_are_not_read_before_they_are_asked_for(small, cpu):
    config = small("imagenet")
    for path in (config.path / "val").rglob("*.JPEG"):
        path.write_bytes(path.read_bytes()[:200])

    data = load_data(config, cpu)

    assert len(data.train) == 54
    with pytest.raises(ValueError, match=r"val/n\d+/.*JPEG cannot be read, as it is damaged"):
        data.open_test()


def test_folders_are_classes_in_alphabetical_order(small, cpu):
    config = small("folder")
    for number, name in enumerate(("apes", "bees", "cats")):
        for path in (config.path / name).iterdir():
            Image.new("RGB", (20, 16), (100 * number,) * 3).save(path)

    data = load_data(config, cpu)

    for split in (data.train, data.validation, data.test):
        assert torch.equal(split.pixels[:, 0, 0, 0].long(), 100 * split.labels)


def test_without_a_test_folder_validation_and_test_are_held_out_by_class(small, cpu):
    config = small("folder", validation_images=12, test_images=15)

    data = load_data(config, cpu)

    assert [len(data.train), len(data.validation), len(data.test)] == [93, 12, 15]
    assert data.validation.labels.bincount().tolist() == [4, 4, 4]
    assert data.test.labels.bincount().tolist() == [5, 5, 5]


@pytest.mark.parametrize("name", ["test", "val"])
def test_folders_called_train_and_test_or_val_are_taken_at_their_word(small, cpu, name):
    imagenet = small("imagenet")
    shutil.move(imagenet.path / "val", imagenet.path / "moved")
    shutil.move(imagenet.path / "moved", imagenet.path / name)
    config = DataConfig(name="folder", path=imagenet.path, resolution=16, batch_size=8)

    data = load_data(config, cpu)

    assert [len(data.train), len(data.validation), len(data.test)] == [54, 6, 12]


def test_imagenet_is_tested_on_as_many_of_every_class(small, cpu):
    data = load_data(small("imagenet", test_images=6), cpu)

    assert data.test.labels.bincount().tolist() == [2, 2, 2]


def test_a_training_folder_alone_gives_all_three_splits(small, cpu):
    imagenet = small("imagenet")
    shutil.rmtree(imagenet.path / "val")
    config = DataConfig(name="folder", path=imagenet.path, resolution=16, batch_size=8)

    data = load_data(config, cpu)

    assert [len(data.train), len(data.validation), len(data.test)] == [49, 5, 6]


def test_hidden_folders_are_no_classes(small, cpu):
    config = small("folder")
    (config.path / ".thumbnails").mkdir()

    assert load_data(config, cpu).num_classes == 3


@pytest.mark.parametrize("missing", ["train", "val"])
def test_another_layout_is_refused_with_the_one_expected(small, cpu, missing):
    config = small("imagenet")
    shutil.rmtree(config.path / missing)

    with pytest.raises(ValueError, match=rf"{missing} must hold at least 2 folders.*<image>"):
        load_data(config, cpu)


def test_a_class_that_only_one_part_has_is_named(small, cpu):
    config = small("imagenet")
    shutil.rmtree(config.path / "val" / "n01641577")

    with pytest.raises(ValueError, match="only one of them has n01641577"):
        load_data(config, cpu)


def test_a_class_without_images_is_named(small, cpu):
    config = small("folder")
    (config.path / "dogs").mkdir()

    with pytest.raises(ValueError, match=r"there are none of 'dogs'; image files end in \.jpg"):
        load_data(config, cpu)


def test_a_class_of_one_image_cannot_be_split(small, cpu):
    config = small("folder")
    (config.path / "dogs").mkdir()
    shutil.copy(next((config.path / "apes").iterdir()), config.path / "dogs")

    with pytest.raises(ValueError, match="at least 2 images to be split, but class 3 has 1"):
        load_data(config, cpu)


def test_more_classes_than_folders_are_refused(small, cpu):
    config = small("folder", classes=4)

    with pytest.raises(ValueError, match=r"data\.classes of .* must be from 2 to 3, got 4"):
        load_data(config, cpu)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"images": 500},
            r"data\.images less the test images of data set 'folder' must be from 3 to 117",
        ),
        ({"validation_images": 2}, r"data\.validation_images .* at least 3, one per class, got 2"),
        ({"validation_images": 107}, r"must leave at least 3 training images, .* got 107 and 12"),
    ],
)
def test_splits_that_cannot_be_made_are_refused(small, cpu, settings, sentence):
    config = small("folder", **settings)

    with pytest.raises(ValueError, match=sentence):
        load_data(config, cpu)


def test_grey_and_transparent_images_become_coloured_ones(small, cpu):
    config = small("folder")
    for mode in ("L", "RGBA", "P", "1"):
        Image.fromarray(np.full((20, 20), 255, dtype=np.uint8)).convert(mode).save(
            config.path / "apes" / f"{mode}.png"
        )

    data = load_data(config, cpu)

    assert data.image_shape == (3, 16, 16)
    assert len(data.train) + len(data.validation) + len(data.test) == 124


def num_images(data):
    return len(data.train) + len(data.validation) + len(data.test)


def test_hidden_files_and_folders_are_no_images_of_a_class(small, cpu):
    config = small("folder")
    (config.path / "apes" / ".ipynb_checkpoints").mkdir()
    copies = (".ipynb_checkpoints/apes_0-checkpoint.png", "._apes_0.png")
    for name in copies:
        shutil.copy(config.path / "apes" / "apes_0.png", config.path / "apes" / name)

    assert num_images(load_data(config, cpu)) == 120


def test_a_folder_that_links_lead_to_again_and_again_counts_once(small, cpu):
    config = small("folder")
    (config.path / "apes" / "loop").symlink_to(config.path / "apes")

    assert num_images(load_data(config, cpu)) == 120
