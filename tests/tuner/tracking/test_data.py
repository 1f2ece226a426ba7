"""Data sets as MLflow's inputs: a digest is the same exactly where the images are."""

import json

import numpy as np
import pytest
from PIL import Image

from trainables.config import TrialConfig
from tuner.tracking.data import inputs


def datasets(**data):
    """The training and the validation split of a trial with these data settings."""
    config = TrialConfig.model_validate({"data": data}).model_dump(mode="json")
    return [item.dataset for item in inputs(config)]


def digests(**data):
    return [dataset.digest for dataset in datasets(**data)]


def test_both_splits_say_what_they_hold():
    train, validation = datasets()

    assert [train.name, validation.name] == ["digits (train)", "digits (validation)"]
    profile = json.loads(train.profile)
    assert profile == {
        "split": "train",
        "num_classes": 10,
        "num_images": 1200,
        "shape": [1, 8, 8],
        "digest_of": "labels, pixels",
    }
    tensors = json.loads(train.schema)["mlflow_tensorspec"]
    assert json.loads(tensors["features"])[0]["tensor-spec"]["shape"] == [-1, 1, 8, 8]


def test_each_input_says_what_it_was_for():
    config = TrialConfig().model_dump(mode="json")

    contexts = [[(tag.key, tag.value) for tag in item.tags] for item in inputs(config)]

    assert contexts == [
        [("mlflow.data.context", "train")],
        [("mlflow.data.context", "validation")],
    ]


@pytest.mark.parametrize("change", [{"split_seed": 1}, {"classes": 5}, {"images": 900}])
def test_other_images_have_another_digest(change):
    before, after = digests(), digests(**change)

    assert before[0] != after[0]
    assert before[1] != after[1]


@pytest.mark.parametrize("change", [{"batch_size": 20}, {"flip": True}, {"root": "/elsewhere"}])
def test_what_training_does_to_images_leaves_the_digest(change):
    assert digests(**change) == digests()


def test_the_two_splits_differ():
    train, validation = digests()

    assert train != validation
    assert max(map(len, (train, validation))) <= 36  # MLflow's limit


def test_a_set_that_is_not_on_this_machine_is_known_by_its_settings(tmp_path):
    train, validation = datasets(name="cifar10", root=str(tmp_path))

    assert json.loads(train.profile)["digest_of"] == "settings"
    assert train.digest != validation.digest
    assert digests(name="cifar10", root=str(tmp_path), split_seed=1)[0] != train.digest
    assert list(tmp_path.iterdir()) == []


def write_images(folder, *, first_width=8):
    generator = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for number in range(20):
            width = first_width if number == 0 else 8
            levels = generator.integers(0, 256, (8, width, 3), dtype=np.uint8)
            Image.fromarray(levels).save(folder / name / f"{number}.png")


def test_image_files_are_known_by_name_and_size_wherever_they_lie(tmp_path):
    for name, width in {"here": 8, "copy": 8, "other": 9}.items():
        write_images(tmp_path / name, first_width=width)
    settings = {"name": "folder", "resolution": 8, "validation_images": 8, "test_images": 8}

    here, copy, other = (
        digests(path=str(tmp_path / name), **settings) for name in ("here", "copy", "other")
    )

    assert here == copy
    assert here != other
