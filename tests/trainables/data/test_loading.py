import pytest
import torch

from trainables.data import DataConfig, load_data

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
