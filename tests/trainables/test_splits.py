import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from trainables.data.sets.digits import num_digits
from trainables.splits import Data, Rows, Split, from_levels, hold_out

LEVELS = torch.randint(0, 256, (10, 3, 2, 4), dtype=torch.uint8)
LABELS = torch.arange(10)
SPLIT = Split(LEVELS, LABELS)


@pytest.mark.parametrize("highest", [16, 255])
def test_every_level_becomes_the_nearest_float_of_its_share(highest):
    levels = torch.arange(highest + 1, dtype=torch.uint8)

    images = from_levels(levels, highest)

    expected = (levels.double() / highest).float()
    assert images.dtype == torch.float32
    assert torch.equal(images, expected)


def test_images_that_are_floats_already_stay_the_same_tensor():
    images = torch.rand(2, 1, 3, 3, dtype=torch.float64)

    assert Split(images, torch.zeros(2)).images is images


@pytest.mark.parametrize(
    "rows", [slice(2, 5), torch.tensor([7, 0, 7]), LABELS % 2 == 0], ids=["slice", "rows", "mask"]
)
def test_rows_of_a_split_are_a_split_of_the_same_levels(rows):
    some = SPLIT[rows]

    assert some.pixels.dtype == torch.uint8
    assert torch.equal(some.images, SPLIT.images[rows])
    assert torch.equal(some.labels, LABELS[rows])
    assert some.highest == 255


@pytest.mark.parametrize(("size", "lengths"), [(4, [4, 4, 2]), (5, [5, 5]), (100, [10])])
def test_chunks_are_all_of_a_split_in_order(size, lengths):
    chunks = list(SPLIT.chunks(size))

    assert [len(labels) for _, labels in chunks] == lengths
    assert torch.equal(torch.cat([images for images, _ in chunks]), SPLIT.images)
    assert torch.equal(torch.cat([labels for _, labels in chunks]), LABELS)


def test_an_epoch_is_the_steps_that_were_asked_for():
    steps = [Rows(torch.tensor([3, 1])), Rows(torch.tensor([9]))]

    seen = list(SPLIT.epoch(steps))

    assert [labels.tolist() for _, labels in seen] == [[3, 1], [9]]
    assert torch.equal(seen[0][0], SPLIT.images[[3, 1]])


def test_mean_and_deviation_are_those_of_the_training_images_per_channel():
    data = Data(SPLIT, SPLIT, lambda: SPLIT, 10)

    assert data.mean == pytest.approx(SPLIT.images.mean(dim=(0, 2, 3)).tolist())
    assert data.std == pytest.approx(SPLIT.images.std(dim=(0, 2, 3)).tolist())
    assert data.image_shape == (3, 2, 4)


def test_the_test_split_is_opened_once_and_only_when_asked_for():
    opened = []
    data = Data(SPLIT, SPLIT, lambda: opened.append(SPLIT) or SPLIT, 10)

    before = len(opened)
    both = (data.test, data.test)

    assert before == 0
    assert len(opened) == 1
    assert both[0] is both[1]


def test_what_is_held_out_has_the_same_share_of_every_class():
    labels = np.repeat(np.arange(3), (50, 30, 20))

    rest, held_out = hold_out(labels, 10, seed=0)

    assert np.bincount(labels[held_out]).tolist() == [5, 3, 2]
    assert sorted([*rest, *held_out]) == list(range(100))


@pytest.mark.parametrize("classes", [2, 7, 10])
def test_the_number_of_digits_is_known_without_loading_them(classes):
    loaded = load_digits(n_class=classes)

    assert num_digits(classes) == len(loaded.target)
