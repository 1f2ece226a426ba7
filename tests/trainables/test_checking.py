"""A teacher may take hours: what cannot work is said before."""

import re

import pytest
import torch
from PIL import Image

from trainables.models import create_network
from trainables.single import train


def assert_refused(sentence, config, directory):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        list(train(config, directory / "checkpoint.pt", directory / "teachers"))
    assert not (directory / "teachers").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"data": {"extra": {"path": "no.npz"}}}, "data.extra.path must be an npz file"),
        ({"data": {"crop_padding": 8}}, "data.crop_padding must be less than 8, the side"),
        ({"data": {"cutout": 9}}, "data.cutout must be less than 8, the side"),
        ({"student": {"checkpoint": "no.pt"}}, "checkpoint no.pt does not exist"),
        ({"student": {"architecture": "inception_v4"}}, "does not work on images of 8x8 pixels"),
    ],
)
def test_what_cannot_work_is_refused_before_a_teacher_is_trained(
    trial, tmp_path, settings, sentence
):
    config = trial(method={"name": "rslad"}, **settings)

    assert_refused(sentence, config, tmp_path)


@pytest.mark.parametrize(
    ("channels", "classes", "sentence"),
    [
        (3, 10, "is made for 3 channels, not for the 1 of the data"),
        (1, 7, "is made for 7 classes, not for the 10 of the data"),
    ],
)
def test_a_student_that_begins_with_weights_for_other_data_is_refused(
    trial, tmp_path, channels, classes, sentence
):
    shape, statistics = (channels, 8, 8), [0.5] * channels
    other = create_network(
        "small_resnet6", image_shape=shape, num_classes=classes, mean=statistics, std=statistics
    )
    torch.save(other.model.state_dict(), tmp_path / "other.pt")
    config = trial(method={"name": "rslad"}, student={"checkpoint": tmp_path / "other.pt"})

    assert_refused(sentence, config, tmp_path)


@pytest.fixture
def folder(tmp_path):
    """``data`` of a folder of two classes of thirty images."""
    for path in (tmp_path / "images" / f"{number % 2}" / f"{number}.png" for number in range(60)):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(path)
    return {"name": "folder", "path": tmp_path / "images", "resolution": 8, "images": 60}


@pytest.mark.parametrize("too_large", ["data.batch_size", "teacher.training.batch_size"])
def test_a_batch_larger_than_a_folder_is_refused(trial, tmp_path, folder, too_large):
    batch_size, taught = (50, 20) if too_large.startswith("data") else (20, 50)
    config = trial(
        method={"name": "rslad"},
        data={**folder, "batch_size": batch_size},
        teacher={"training": {"batch_size": taught}},
    )

    assert_refused(f"{too_large} must be at most 45, the number of", config, tmp_path)


def test_a_public_teacher_is_not_asked_for_batches_of_a_training_that_it_does_not_get(trial):
    data = {"name": "cifar10", "images": 300, "batch_size": 20}
    teacher = {
        "architecture": "auto",
        "name": "Zhang2019Theoretically",
        "training": {"batch_size": 5000},
    }

    assert trial(data=data, teacher=teacher, clean_teacher=None).teacher.from_file
