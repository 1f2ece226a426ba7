import numpy as np
import pytest
import torch

from trainables.data import DataConfig, load_data
from trainables.data.loading import MOST_RESIDENT, stays
from trainables.data.streaming import Streamed
from trainables.distillation import Distillation

CPU = torch.device("cpu")


def test_batch_size_and_augmentation_do_not_load_the_data_again():
    first = load_data(DataConfig(), CPU)
    again = load_data(DataConfig(batch_size=7, flip=True), CPU)

    assert again.train is first.train


def test_the_numbers_of_classes_and_of_images_are_part_of_what_is_loaded():
    two = load_data(DataConfig(classes=2), CPU)
    few = load_data(DataConfig(images=400), CPU)

    assert two.num_classes == 2
    assert [len(few.train), len(few.validation), len(few.test)] == [267, 66, 67]


def test_mean_and_std_are_those_of_the_training_images(digits):
    assert digits.mean == [pytest.approx(digits.train.images.mean().item())]
    assert digits.std == [pytest.approx(digits.train.images.std().item())]


@pytest.mark.parametrize(
    ("storage", "num_bytes", "expected"),
    [
        ("auto", MOST_RESIDENT, True),
        ("auto", MOST_RESIDENT + 1, False),
        ("device", MOST_RESIDENT + 1, True),
        ("stream", 1, False),
    ],
)
def test_large_training_sets_are_streamed_unless_told_otherwise(storage, num_bytes, expected):
    config = DataConfig(loading={"storage": storage})

    assert stays(config, num_bytes, CPU) is expected


@pytest.mark.slow
def test_a_training_run_is_the_same_on_the_device_and_streamed_and_after_a_restart(small, trial):
    config = small("tiny_imagenet", resolution=16, flip=True, crop_padding=2, color_jitter=0.2)
    data = config.model_dump() | {"batch_size": 18}
    overrides = {"teacher": None, "clean_teacher": None, "threat": {"epsilon": 0.03}}
    kept, streamed = (
        trial(data={**data, "loading": {"storage": storage, "workers": 1}}, **overrides)
        for storage in ("device", "stream")
    )

    metrics = [trained(config)[1] for config in (kept, streamed)]
    interrupted, _ = trained(streamed, epochs=1)
    resumed = Distillation.build(streamed)
    resumed.load_state_dict(interrupted)
    last = {**resumed.train_epoch(), **resumed.validate()}

    assert isinstance(resumed.data.train, Streamed)
    assert metrics[0] == metrics[1] == last
    assert last["val/count"] == 6


def trained(config, epochs=2):
    distillation = Distillation.build(config)
    for _ in range(epochs):
        metrics = {**distillation.train_epoch(), **distillation.validate()}
    return distillation.state_dict(), metrics


def test_extra_images_change_what_is_learned(small, trial, tmp_path):
    data = small("digits").model_dump() | {"batch_size": 64}
    images = np.random.default_rng(0).integers(0, 256, (40, 1, 8, 8), np.uint8)
    np.savez(tmp_path / "extra.npz", image=images, label=np.arange(40) % 10)
    extra = {"path": tmp_path / "extra.npz", "ratio": 0.5}

    (one, _), (other, _) = (
        trained(trial(data={**data, **settings}, teacher=None, clean_teacher=None), epochs=1)
        for settings in ({}, {"extra": extra})
    )

    assert one["scheduler"]["last_epoch"] == other["scheduler"]["last_epoch"] == 267 // 64
    assert any(
        not torch.equal(one["student"][key], other["student"][key]) for key in one["student"]
    )


def test_a_run_goes_on_where_its_images_are_loaded_in_another_way(trial):
    first, second = (
        Distillation.build(
            trial(
                data={"loading": {"storage": storage, "workers": 0}},
                teacher=None,
                clean_teacher=None,
            )
        )
        for storage in ("device", "stream")
    )
    first.train_epoch()

    second.load_state_dict(first.state_dict())

    assert second.train_epoch() == first.train_epoch()
