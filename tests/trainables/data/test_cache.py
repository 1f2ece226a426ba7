import os

import numpy as np
import pytest
import torch

from trainables.data import load_data

ON_DISK = {"cache": "disk", "workers": 0}


def maps(config):
    return sorted((config.root / "decoded").glob("*.npy"))


def damage_every_image(config):
    """Cut the files off without a change of size or time, which would be another data set."""
    for path in config.path.rglob("*.png"):
        state = path.stat()
        path.write_bytes(b"\0" * state.st_size)
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def test_images_from_the_cache_are_those_of_the_files_and_files_are_not_read_again(
    small, changed, cpu
):
    config = small("folder", loading=ON_DISK)
    plain = load_data(changed(config, loading={"workers": 0}), cpu)
    assert len(plain.test) == 12
    load_data(config, cpu)
    damage_every_image(config)

    cached = load_data(changed(config, loading={**ON_DISK, "storage": "device"}), cpu)
    other_split = load_data(changed(config, split_seed=1), cpu)

    for name in ("train", "validation", "test"):
        one, other = getattr(plain, name), getattr(cached, name)
        assert torch.equal(one.pixels, other.pixels)
        assert torch.equal(one.labels, other.labels)
    assert len(other_split.train) == len(plain.train)
    assert len(maps(config)) == 1


def test_the_test_split_has_a_map_of_its_own_once_it_is_asked_for(small, cpu):
    config = small("imagenet", loading=ON_DISK)

    data = load_data(config, cpu)
    before = len(maps(config))
    data.open_test()

    assert (before, len(maps(config))) == (1, 2)


@pytest.mark.parametrize("change", ["resolution", "time", "file"])
def test_other_files_or_another_resolution_are_decoded_anew(small, changed, cpu, change):
    config = small("folder", loading=ON_DISK)
    load_data(config, cpu)
    (image, *_) = sorted(config.path.rglob("*.png"))
    if change == "time":
        os.utime(image, (1, 1))
    if change == "file":
        image.unlink()

    resolution = 12 if change == "resolution" else 16
    load_data(changed(config, split_seed=1, resolution=resolution), cpu)

    assert len(maps(config)) == 2


def cut_off(path):
    path.write_bytes(path.read_bytes()[:1_000])


def shorten(path):
    np.save(path, np.load(path)[1:])


@pytest.mark.parametrize("damage", [cut_off, shorten])
def test_a_map_that_was_damaged_is_written_anew(small, changed, cpu, damage):
    config = small("folder", loading=ON_DISK)
    first = load_data(config, cpu)
    (path,) = maps(config)
    damage(path)

    again = load_data(changed(config, test_images=12), cpu)

    assert torch.equal(again.train.pixels, first.train.pixels)
    assert np.load(path).shape == (120, 3, 16, 16)


def test_a_damaged_image_leaves_no_map_behind(small, cpu):
    config = small("folder", loading=ON_DISK)
    damage_every_image(config)

    with pytest.raises(ValueError, match="cannot be read, as it is damaged"):
        load_data(config, cpu)

    assert list((config.root / "decoded").glob("*.npy*")) == []


def test_a_root_that_cannot_be_written_is_refused_in_a_sentence(small, cpu):
    config = small("folder", loading=ON_DISK)
    config.root.parent.joinpath("root").touch()

    with pytest.raises(ValueError, match=r"data\.root must be a folder in which .* can be written"):
        load_data(config, cpu)


def test_a_link_to_nowhere_is_refused_in_a_sentence(small, cpu):
    config = small("folder", loading=ON_DISK)
    (config.path / "apes" / "lost.png").symlink_to("nowhere.png")

    with pytest.raises(ValueError, match=r"image .*apes/lost\.png cannot be read; replace or del"):
        load_data(config, cpu)
