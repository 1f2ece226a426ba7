"""What holds of every data set, on small files in its real format."""

import pytest
import torch

from trainables.data import DATASETS, DataConfig, batches, load_data, num_batches

pytestmark = pytest.mark.parametrize("name", DATASETS)
NO_WORKERS = {"workers": 0}


def contents(split):
    return {image.numpy().tobytes() for image in split.images}


def test_images_are_in_the_unit_cube_and_labels_show_every_class(name, small, cpu):
    data = load_data(small(name, loading=NO_WORKERS), cpu)

    for split in (data.train, data.validation, data.test):
        assert split.pixels.dtype == torch.uint8
        assert split.images.dtype == torch.float32
        assert split.images.shape == (len(split), *data.image_shape)
        assert split.images.min() >= 0
        assert 0.5 < split.images.max() <= 1
        assert split.labels.dtype == torch.int64
        assert set(split.labels.tolist()) == set(range(data.num_classes))


def test_no_image_is_in_two_splits(name, small, cpu):
    data = load_data(small(name, loading=NO_WORKERS), cpu)

    splits = [data.train, data.validation, data.test]
    assert len(set.union(*map(contents, splits))) == sum(map(len, splits))


def test_the_split_follows_from_its_seed_alone(name, small, changed, cpu):
    config = small(name, loading=NO_WORKERS)
    again = changed(config, loading={"storage": "device", "workers": 0}, batch_size=9, flip=True)

    data, same, different = (
        load_data(c, cpu) for c in (config, again, changed(config, split_seed=1))
    )

    assert torch.equal(data.train.pixels, same.train.pixels)
    assert torch.equal(data.test.labels, same.test.labels)
    assert contents(data.validation) != contents(different.validation)


def test_streamed_training_images_give_the_numbers_of_those_on_the_device(
    name, small, changed, cpu
):
    settings = {
        "flip": True,
        "crop_padding": 2,
        "crop_scale": 0.5,
        "color_jitter": 0.4,
        "cutout": 4,
    }
    on_device = small(name, **settings, loading={"storage": "device", "workers": 0})
    configs = [on_device, changed(on_device, loading={"storage": "stream", "workers": 0})]

    kept, streamed = (load_data(config, cpu) for config in configs)
    generators = [torch.Generator().manual_seed(3) for _ in configs]
    epochs = [
        list(batches(data.train, configs[0], generator))
        for data, generator in zip((kept, streamed), generators, strict=True)
    ]

    assert type(kept.train) is not type(streamed.train)
    assert num_batches(kept.train, configs[0]) == len(epochs[0]) == len(epochs[1])
    for one, other in zip(*epochs, strict=True):
        assert torch.equal(one[0], other[0])
        assert torch.equal(one[1], other[1])
    assert torch.equal(*(generator.get_state() for generator in generators))
    assert (kept.mean, kept.std) == (streamed.mean, streamed.std)
    assert torch.equal(kept.train.labels, streamed.train.labels)


def test_a_config_survives_being_written_down(name, small):
    config = small(name)

    assert DataConfig.model_validate(config.model_dump(mode="json")) == config
