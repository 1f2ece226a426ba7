import pytest

from trainables.config import TrialConfig, fingerprint
from trainables.data import DataConfig, LoadingConfig


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
    ("settings", "sentence"),
    [
        ({"name": "cifar"}, r"unknown data set 'cifar'; did you mean 'cifar10'\?"),
        ({"name": "cifar10", "classes": 11}, "'cifar10' must be from 2 to 10, got 11"),
        ({"name": "cifar100", "images": 60_001}, "must be from 2000 to 60000, got 60001"),
        (
            {"name": "cifar10", "batch_size": 45_001},
            r"data\.batch_size must be at most 45000, the number of training images of data set "
            "'cifar10', got 45001",
        ),
        ({"batch_size": 1_201}, r"data\.batch_size must be at most 1200"),
        ({"images": 200, "batch_size": 150}, r"data\.batch_size must be at most 134"),
        ({"name": "glyphs", "images": 200, "batch_size": 152}, "must be at most 151"),
        (
            {"name": "cifar100", "validation_images": 99},
            r"data\.validation_images .* with 100 classes must be at least 100, one per class, "
            "got 99",
        ),
        ({"name": "cifar10", "test_images": 9}, r"data\.test_images .* at least 10, .* got 9"),
        (
            {"name": "cifar10", "validation_images": 49_995},
            "must leave at least 10 training images, one per class, got 49995 and 10000, which "
            "leave 5",
        ),
        ({"validation_images": 1_600}, "must leave at least 10 training images"),
        ({"name": "imagenet"}, "path of data set 'imagenet' must name the folder of its images"),
        ({"name": "cifar10", "path": "x"}, "path of data set 'cifar10' must be left out, got x"),
        ({"name": "folder", "path": "x"}, "resolution .* 'folder' must be given, in pixels"),
        ({"resolution": 8}, "resolution of data set 'digits' must be left out, got 8"),
        ({"extra": {"path": "x", "ratio": 1.0}}, "less than 1"),
        ({"extra": {"path": "x", "sha256": "abc"}}, "String should match pattern"),
        ({"loading": {"storage": "disk"}}, "'auto', 'device' or 'stream'"),
        ({"color_jitter": 1.5}, "less than or equal to 1"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_read(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        DataConfig.model_validate(settings)


@pytest.mark.parametrize(
    ("settings", "classes", "resolution"),
    [
        ({}, 10, None),
        ({"name": "glyphs"}, 10, None),
        ({"name": "cifar100"}, 100, None),
        ({"name": "cifar100", "classes": 20}, 20, None),
        ({"name": "tiny_imagenet", "classes": None}, 200, 64),
        ({"name": "imagenet", "path": "x"}, 1_000, 224),
        ({"name": "folder", "path": "x", "resolution": 32}, None, 32),
    ],
)
def test_the_data_set_decides_where_nothing_is_said(settings, classes, resolution):
    config = DataConfig.model_validate(settings)

    assert (config.classes, config.resolution) == (classes, resolution)


def test_configs_that_use_nothing_new_are_written_and_fingerprinted_as_ever():
    assert set(DataConfig().model_dump()) == {
        "name",
        "classes",
        "images",
        "root",
        "split_seed",
        "batch_size",
        "crop_padding",
        "flip",
    }
    assert fingerprint(DataConfig(batch_size=300, crop_padding=1, flip=True)) == "7d2ff87347c1d336"


@pytest.mark.parametrize(
    "settings",
    [
        {"split_seed": 1},
        {"classes": 9},
        {"validation_images": 300},
        {"test_images": 400},
        {"crop_scale": 0.08},
        {"color_jitter": 0.1},
        {"cutout": 4},
        {"extra": {"path": "x.npz"}},
        {"extra": {"path": "x.npz", "ratio": 0.5}},
        {"extra": {"path": "x.npz", "sha256": "0" * 64}},
        {"name": "cifar10"},
        {"name": "folder", "path": "x", "resolution": 32},
        {"name": "folder", "path": "y", "resolution": 32},
        {"name": "folder", "path": "x", "resolution": 64},
    ],
)
def test_all_that_changes_images_is_in_the_fingerprint(settings):
    config = DataConfig.model_validate(settings)
    again = DataConfig.model_validate(config.model_dump(mode="json"))

    assert fingerprint(config) == fingerprint(again)
    assert fingerprint(config) not in {fingerprint(c) for c in others(settings)}


def others(settings):
    """Configs that must not look like this one."""
    known = [{}, {"extra": {"path": "x.npz", "ratio": 0.6}}, {"extra": {"path": "y.npz"}}]
    known += [{"name": "folder", "path": "z", "resolution": 32}]
    return [DataConfig.model_validate(each) for each in known if each != settings]


def test_teachers_that_are_trained_here_need_full_batches_too():
    sentence = r"clean_teacher\.training\.batch_size must be at most 134"

    with pytest.raises(ValueError, match=sentence):
        TrialConfig.model_validate(
            {
                "data": {"images": 200, "batch_size": 50},
                "teacher": {"training": {"batch_size": 100}},
                "clean_teacher": {"training": {"batch_size": 135}},
            }
        )


def test_as_many_workers_read_ahead_as_there_are_processors_but_four_at_most():
    assert 1 <= LoadingConfig().num_workers <= 4
    assert LoadingConfig(workers=9).num_workers == 9
    assert LoadingConfig(workers=0).num_workers == 0
