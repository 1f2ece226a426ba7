import pytest

from trainables.data import DataConfig


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
