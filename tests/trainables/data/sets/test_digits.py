import pytest
import torch

from trainables.data import DataConfig, Split, load_data

CPU = torch.device("cpu")


def rows(*splits):
    """All images as sorted rows: equal for equal collections of images."""
    return sorted(image.flatten().tolist() for split in splits for image in split.images)


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


def test_two_classes_of_digits_are_all_zeros_and_ones(digits):
    two = load_data(DataConfig(classes=2), CPU)

    zeros_and_ones = [
        Split(split.images[split.labels < 2], split.labels[split.labels < 2])
        for split in (digits.train, digits.validation, digits.test)
    ]
    assert set(two.train.labels.tolist()) == {0, 1}
    assert rows(two.train, two.validation, two.test) == rows(*zeros_and_ones)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "classes"), [("digits", 2), ("digits", 10), ("glyphs", 2), ("glyphs", 100)]
)
def test_the_fewest_images_allowed_still_show_every_class_in_every_split(name, classes, tmp_path):
    config = DataConfig(
        name=name, classes=classes, images=20 * classes, root=tmp_path, batch_size=2
    )

    data = load_data(config, CPU)

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
    again = load_data(DataConfig(batch_size=7, flip=True), CPU)
    other = load_data(DataConfig(split_seed=1), CPU)

    assert torch.equal(again.train.images, digits.train.images)
    assert torch.equal(again.test.labels, digits.test.labels)
    assert not torch.equal(other.test.images, digits.test.images)


def test_grey_levels_are_exact(digits):
    levels = digits.train.images * 16

    assert torch.equal(levels, levels.round())
    assert levels.max() == 16
