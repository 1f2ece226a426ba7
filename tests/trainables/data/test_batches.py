import pytest
import torch

from trainables.data import DataConfig, Split, batches, num_batches
from trainables.data.resident import WithExtra
from trainables.workers.ranks import Ranks


def test_an_epoch_shows_every_image_once_and_drops_the_partial_batch():
    split = Split(torch.arange(10.0).view(10, 1, 1, 1), torch.arange(10))
    config = DataConfig(batch_size=3)

    seen = list(batches(split, config, torch.Generator()))

    labels = torch.cat([labels for _, labels in seen])
    assert [len(labels) for _, labels in seen] == [3, 3, 3]
    assert num_batches(split, config) == 3
    assert len(set(labels.tolist())) == 9
    assert all(torch.equal(images.flatten(), labels.float()) for images, labels in seen)


def test_order_follows_the_generator():
    split = Split(torch.zeros(50, 1, 1, 1), torch.arange(50))
    config = DataConfig(batch_size=50)

    orders = [
        next(batches(split, config, torch.Generator().manual_seed(seed)))[1] for seed in (0, 0, 1)
    ]

    assert torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[0], orders[2])


def test_a_batch_larger_than_the_training_set_is_refused_before_the_first_step():
    split = Split(torch.zeros(5, 1, 1, 1), torch.arange(5))
    sentence = (
        r"data\.batch_size must be at most 5, the number of training images of data set "
        "'digits', got 100"
    )

    with pytest.raises(ValueError, match=sentence):
        num_batches(split, DataConfig(batch_size=100))
    with pytest.raises(ValueError, match=sentence):
        next(batches(split, DataConfig(batch_size=100), torch.Generator()))


@pytest.fixture
def mixed():
    """Ten training images of labels 0 to 9, three extra ones of labels 100 to 102."""
    original, extra = torch.arange(10), torch.arange(100, 103)
    return WithExtra(
        Split((original / 255).view(10, 1, 1, 1), original),
        Split((extra / 255).view(3, 1, 1, 1), extra),
    )


def with_ratio(ratio, batch_size):
    return DataConfig(batch_size=batch_size, extra={"path": "extra.npz", "ratio": ratio})


@pytest.mark.parametrize(
    ("ratio", "batch_size", "num_extra"), [(0.5, 4, 2), (0.7, 5, 4), (0.1, 2, 1), (0.99, 5, 4)]
)
def test_every_batch_has_its_share_of_extra_images_and_the_epoch_its_length(
    mixed, ratio, batch_size, num_extra
):
    config = with_ratio(ratio, batch_size)

    seen = list(batches(mixed, config, torch.Generator()))

    assert len(seen) == num_batches(mixed, config) == 10 // batch_size
    for images, labels in seen:
        assert len(labels) == batch_size
        assert (labels >= 100).sum() == num_extra
        assert torch.equal(images.flatten(), labels / 255)


def test_no_extra_image_comes_again_before_all_have_come(mixed):
    seen = list(batches(mixed, with_ratio(0.6, 5), torch.Generator()))

    extra = torch.cat([labels[labels >= 100] for _, labels in seen])
    assert sorted(extra[:3].tolist()) == [100, 101, 102]
    assert sorted(extra[3:].tolist()) == [100, 101, 102]


def test_no_image_of_the_training_set_comes_twice_in_an_epoch_with_extra_images(mixed):
    seen = list(batches(mixed, with_ratio(0.5, 4), torch.Generator()))

    original = [label for _, labels in seen for label in labels.tolist() if label < 100]
    assert len(original) == len(set(original)) == 4


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("ratio", [0.25, 0.75])
def test_the_parts_of_all_ranks_put_together_are_the_batches_of_one_process(mixed, ratio, count):
    config = with_ratio(ratio, 4)

    whole = list(batches(mixed, config, torch.Generator().manual_seed(1)))
    parts = [
        list(batches(mixed, config, torch.Generator().manual_seed(1), Ranks(rank, count)))
        for rank in range(count)
    ]

    assert [len(labels) for _, labels in parts[0]] == [4 // count] * len(whole)
    for batch, *shares in zip(whole, *parts, strict=True):
        assert torch.equal(batch[0], torch.cat([images for images, _ in shares]))
        assert torch.equal(batch[1], torch.cat([labels for _, labels in shares]))
