import pytest
import torch

from trainables.data import batches, load_data


@pytest.fixture
def stream(changed):
    """``stream(config, workers)``: the same data set, read when a step needs it."""
    return lambda config, workers: changed(
        config, loading={"storage": "stream", "workers": workers}
    )


@pytest.mark.parametrize("name", ["cifar10", "imagenet"])
def test_the_number_of_workers_changes_no_number(small, stream, cpu, name):
    config = small(name, flip=True, crop_padding=2)

    alone, helped = (load_data(stream(config, workers), cpu) for workers in (0, 2))
    one, other = (
        list(batches(data.train, config, torch.Generator().manual_seed(1)))
        for data in (alone, helped)
    )

    for (images_1, labels_1), (images_2, labels_2) in zip(one, other, strict=True):
        assert torch.equal(images_1, images_2)
        assert torch.equal(labels_1, labels_2)
    assert torch.equal(alone.validation.pixels, helped.validation.pixels)


@pytest.mark.parametrize("workers", [0, 1])
def test_streaming_leaves_the_global_randomness_alone(small, stream, cpu, workers):
    config = small("cifar10")
    data = load_data(stream(config, workers), cpu)
    before = torch.get_rng_state()

    list(batches(data.train, config, torch.Generator()))

    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_is_cut_off_is_one_sentence_wherever_it_was_decoded(
    small, stream, cpu, workers
):
    config = small("folder")
    for path in config.path.rglob("*.png"):
        path.write_bytes(path.read_bytes()[:150])

    with pytest.raises(
        ValueError, match=r"^image .*\.png cannot be read, as it is damaged, [^\n]*$"
    ):
        load_data(stream(config, workers), cpu)


def test_an_epoch_that_is_left_early_leaves_no_trace_in_the_next(small, stream, cpu):
    config = small("cifar10")
    data = load_data(stream(config, 1), cpu)

    next(batches(data.train, config, torch.Generator().manual_seed(5)))
    whole = list(batches(data.train, config, torch.Generator().manual_seed(5)))
    again = list(batches(data.train, config, torch.Generator().manual_seed(5)))

    assert all(torch.equal(a, b) for (a, _), (b, _) in zip(whole, again, strict=True))
