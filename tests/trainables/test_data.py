import pytest
import torch

from trainables.data import (
    DATASETS,
    DataConfig,
    Split,
    augment,
    batches,
    load_data,
    num_batches,
    random_crop,
)

CPU = torch.device("cpu")


def rows(*splits):
    """All images as sorted rows: equal for equal collections of images."""
    return sorted(image.flatten().tolist() for split in splits for image in split.images)


@pytest.mark.parametrize("name", DATASETS)
def test_data_sets_hold_images_in_the_unit_cube_and_labels_of_every_class(name, tmp_path):
    data = DATASETS[name].load(DataConfig(name=name, images=200, root=tmp_path))

    for split in (data.train, data.validation, data.test):
        assert split.images.dtype == torch.float32
        assert split.images.shape == (len(split), *data.image_shape)
        assert split.images.min() >= 0
        assert split.images.max() <= 1
        assert split.labels.dtype == torch.int64
        assert data.num_classes == 10
        assert set(split.labels.tolist()) == set(range(data.num_classes))


def test_digits_come_as_1200_297_and_300(digits):
    assert [len(digits.train), len(digits.validation), len(digits.test)] == [1200, 297, 300]
    assert digits.image_shape == (1, 8, 8)
    assert digits.num_classes == 10


def test_no_image_is_in_two_splits_and_none_is_lost(digits):
    everything = torch.cat([digits.train.images, digits.validation.images, digits.test.images])
    other = load_data(DataConfig(split_seed=1), CPU)

    assert len(everything) == 1797
    assert rows(digits.train, digits.validation, digits.test) == rows(
        other.train, other.validation, other.test
    )
    assert set(map(tuple, rows(digits.train))).isdisjoint(map(tuple, rows(digits.validation)))
    assert set(map(tuple, rows(digits.train))).isdisjoint(map(tuple, rows(digits.test)))
    assert set(map(tuple, rows(digits.validation))).isdisjoint(map(tuple, rows(digits.test)))


def test_batch_size_and_augmentation_do_not_load_the_data_again():
    first = load_data(DataConfig(), CPU)
    again = load_data(DataConfig(batch_size=7, flip=True), CPU)

    assert again.train.images is first.train.images


def test_the_numbers_of_classes_and_of_images_are_part_of_what_is_loaded():
    two = load_data(DataConfig(classes=2), CPU)
    few = load_data(DataConfig(images=400), CPU)

    assert two.num_classes == 2
    assert [len(few.train), len(few.validation), len(few.test)] == [267, 66, 67]


def test_two_classes_of_digits_are_all_zeros_and_ones(digits):
    two = load_data(DataConfig(classes=2), CPU)

    zeros_and_ones = [
        Split(split.images[split.labels < 2], split.labels[split.labels < 2])
        for split in (digits.train, digits.validation, digits.test)
    ]
    assert set(two.train.labels.tolist()) == {0, 1}
    assert rows(two.train, two.validation, two.test) == rows(*zeros_and_ones)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"classes": 11}, "classes of data set 'digits' must be from 2 to 10, got 11"),
        (
            {"name": "glyphs", "classes": 101},
            "classes of data set 'glyphs' must be from 2 to 100, got 101",
        ),
        (
            {"classes": 2, "images": 361},
            "images of data set 'digits' with 2 classes must be from 40 to 360, got 361",
        ),
        (
            {"name": "glyphs", "classes": 100, "images": 1999},
            "images of data set 'glyphs' with 100 classes must be from 2000 to 60000, got 1999",
        ),
    ],
)
def test_more_classes_or_images_than_there_are_and_too_few_are_refused(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        DataConfig.model_validate(settings)


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="greater than or equal to 2"):
        DataConfig(classes=1)


@pytest.mark.parametrize(
    ("name", "classes"), [("digits", 2), ("digits", 10), ("glyphs", 2), ("glyphs", 100)]
)
def test_the_fewest_images_allowed_still_show_every_class_in_every_split(name, classes, tmp_path):
    config = DataConfig(name=name, classes=classes, images=20 * classes, root=tmp_path)

    data = DATASETS[name].load(config)

    for split in (data.train, data.validation, data.test):
        assert set(split.labels.tolist()) == set(range(classes))
    assert len(data.train) + len(data.validation) + len(data.test) == 20 * classes


def test_every_split_has_the_same_share_of_each_class(digits):
    shares = [
        split.labels.bincount(minlength=10) / len(split)
        for split in (digits.train, digits.validation, digits.test)
    ]

    torch.testing.assert_close(shares[1], shares[0], rtol=0, atol=0.005)
    torch.testing.assert_close(shares[2], shares[0], rtol=0, atol=0.005)


def test_the_split_depends_on_its_seed_alone(digits):
    again = DATASETS["digits"].load(DataConfig(batch_size=7, flip=True))
    other = DATASETS["digits"].load(DataConfig(split_seed=1))

    assert torch.equal(again.train.images, digits.train.images)
    assert torch.equal(again.test.labels, digits.test.labels)
    assert not torch.equal(other.test.images, digits.test.images)


def test_grey_levels_are_exact(digits):
    levels = digits.train.images * 16

    assert torch.equal(levels, levels.round())
    assert levels.max() == 16


def test_mean_and_std_are_those_of_the_training_images(digits):
    assert digits.mean == [pytest.approx(digits.train.images.mean().item())]
    assert digits.std == [pytest.approx(digits.train.images.std().item())]


def test_an_epoch_shows_every_image_once_and_drops_the_partial_batch():
    split = Split(torch.arange(10.0).view(10, 1, 1, 1), torch.arange(10))
    config = DataConfig(batch_size=3)

    seen = list(batches(split, config, torch.Generator()))

    labels = torch.cat([labels for _, labels in seen])
    assert [len(labels) for _, labels in seen] == [3, 3, 3]
    assert num_batches(split, config) == 3
    assert len(set(labels.tolist())) == 9
    assert all(torch.equal(images.flatten(), labels.float()) for images, labels in seen)


def test_a_split_smaller_than_a_batch_is_one_batch():
    split = Split(torch.zeros(5, 1, 1, 1), torch.arange(5))
    config = DataConfig(batch_size=100)

    seen = list(batches(split, config, torch.Generator()))

    assert [len(labels) for _, labels in seen] == [5]
    assert num_batches(split, config) == 1


def test_order_follows_the_generator():
    split = Split(torch.zeros(50, 1, 1, 1), torch.arange(50))
    config = DataConfig(batch_size=50)

    orders = [
        next(batches(split, config, torch.Generator().manual_seed(seed)))[1] for seed in (0, 0, 1)
    ]

    assert torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[0], orders[2])


def test_a_random_crop_is_a_window_of_the_padded_image_and_every_window_is_as_likely():
    padding, count = 1, 9_000
    image = torch.arange(1.0, 13.0).view(1, 3, 4)
    padded = torch.nn.functional.pad(image, [padding] * 4)
    windows = [padded[:, top : top + 3, left : left + 4] for top in range(3) for left in range(3)]

    crops = random_crop(image.expand(count, 1, 3, 4), padding, torch.Generator().manual_seed(0))

    hits = torch.stack([(crops == window).flatten(1).all(dim=1) for window in windows]).sum(dim=1)
    assert hits.sum() == count
    assert (hits - 1000).abs().max() < 5 * 1000**0.5


def test_all_channels_of_an_image_are_cropped_alike():
    images = torch.rand(20, 1, 5, 5).expand(20, 3, 5, 5)

    crops = random_crop(images, 2, torch.Generator())

    assert torch.equal(crops[:, 0], crops[:, 2])


def test_half_of_the_images_are_mirrored():
    images = torch.arange(2.0).view(1, 1, 1, 2).expand(2_000, 1, 1, 2)

    flipped = augment(images, DataConfig(flip=True), torch.Generator().manual_seed(0))

    mirrored = flipped[:, 0, 0, 0] == 1
    assert 900 < mirrored.sum() < 1100
    assert torch.equal(flipped.sum(dim=3), torch.ones(2_000, 1, 1))


def test_augmentation_is_off_by_default():
    images = torch.rand(4, 1, 8, 8)

    assert torch.equal(augment(images, DataConfig(), torch.Generator()), images)
