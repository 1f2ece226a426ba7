import pytest
from pydantic import ValidationError

from trainables.config import CleanTeacherConfig, TeacherConfig, TrialConfig
from trainables.models.normalization import ChannelStatistics

SMALL = {"architecture": "small_resnet6"}
PUBLIC = "Zhang2019Theoretically"
HALF = {"mean": [0.5], "std": [0.5]}


@pytest.mark.parametrize(
    ("normalize", "normalization"), [(True, "data"), (False, "none")], ids=["on", "off"]
)
def test_the_old_spelling_of_the_normalisation_is_understood(normalize, normalization):
    teacher = TeacherConfig.model_validate({**SMALL, "normalize": normalize})

    assert teacher.normalization == normalization
    assert "normalize" not in teacher.model_dump()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        SMALL,
        {"checkpoint": "a.pt"},
        {"checkpoint": "a.pt", "normalization": HALF, "resolution": 224},
        {"name": PUBLIC, "clean_accuracy": 0.8},
        {"members": [SMALL, {"checkpoint": "a.pt"}]},
    ],
)
def test_a_teacher_survives_json(settings):
    teacher = TeacherConfig.model_validate(settings)

    assert TeacherConfig.model_validate(teacher.model_dump(mode="json")) == teacher


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"architecture": "auto"}, "'auto' needs a checkpoint to be told from"),
        ({"name": "Zhang2019"}, "unknown public teacher 'Zhang2019'; did you mean 'Zhang2019Th"),
        ({**SMALL, "normalization": "cifar"}, "unknown normalization 'cifar'; did you mean 'cifar"),
        ({**SMALL, "normalization": "cifar10"}, "trained here must be auto, data or none, got ci"),
        ({**SMALL, "resolution": 64}, "resolution needs a teacher from a file, got 64"),
        ({"checkpoint": "a", "resolution": 10**9}, "less than or equal to 4096"),
        ({"checkpoint": "a", "normalization": {"mean": [0.5], "std": [0]}}, "std must be above 0"),
        (
            {"checkpoint": "a", "normalization": {"mean": [125], "std": [63]}},
            "mean must be from 0 t",
        ),
        ({"checkpoint": "a", "normalization": {"mean": [0], "std": [1, 1]}}, "got 1 and 2"),
        ({"members": [SMALL]}, "members must be two or more teachers .* got 1"),
        ({"members": [SMALL, {"members": [SMALL, SMALL]}]}, "without members of their own"),
        ({"members": [SMALL, SMALL], "checkpoint": "a"}, "must not say checkpoint itself"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(settings, message):
    with pytest.raises(ValidationError, match=message):
        TeacherConfig.model_validate(settings)


def test_a_public_teacher_of_another_data_set_is_refused():
    with pytest.raises(ValidationError, match=r"was trained on 'cifar10', but data is 'digits'"):
        TrialConfig.model_validate({"teacher": {"name": PUBLIC}, "method": {"name": "kd"}})


def test_a_member_of_another_data_set_is_refused():
    teacher = {"members": [SMALL, {"name": PUBLIC}]}

    with pytest.raises(ValidationError, match=r"was trained on 'cifar10', but data is 'digits'"):
        TrialConfig.model_validate({"teacher": teacher})


@pytest.mark.parametrize("term", ["covariance", "gram"])
def test_an_ensemble_has_no_features_to_align(term):
    teacher = {"members": [SMALL, SMALL]}

    with pytest.raises(ValidationError, match=f"{term} compares feature maps, but the teacher is"):
        TrialConfig.model_validate({"teacher": teacher, "alignments": {term: True}})


def test_the_members_of_a_clean_ensemble_are_trained_without_attack():
    teacher = CleanTeacherConfig.model_validate({"members": [SMALL, SMALL]})

    assert {member.training.method for member in teacher.members} == {"standard"}


@pytest.mark.parametrize(
    ("settings", "label"),
    [
        (SMALL, "small_resnet6"),
        ({"checkpoint": "folder/a.pt"}, "a.pt"),
        ({"name": PUBLIC}, PUBLIC),
        ({"members": [SMALL, {"name": PUBLIC}]}, f"mean of small_resnet6, {PUBLIC}"),
    ],
)
def test_a_teacher_has_a_name_for_people(settings, label):
    assert TeacherConfig.model_validate(settings).label == label


def test_one_number_stands_for_every_channel():
    assert ChannelStatistics.model_validate(HALF).of_channels(3) == ([0.5] * 3, [0.5] * 3)


def test_statistics_of_other_channels_are_refused():
    with pytest.raises(ValueError, match=r"is of 2 channels .* but the images have 3; give 3 or 1"):
        ChannelStatistics(mean=(0, 0), std=(1, 1)).of_channels(3)


def test_a_teacher_that_is_not_trained_here_asks_for_no_training_batch():
    few = {"name": "glyphs", "images": 160, "classes": 4, "batch_size": 16}
    files = {"members": [{"checkpoint": "a.pt"}, {"checkpoint": "b.pt"}]}

    config = TrialConfig.model_validate({"data": few, "teacher": files})

    assert config.teacher is not None


def test_the_batch_of_every_member_that_is_trained_here_must_be_filled():
    few = {"name": "glyphs", "images": 160, "classes": 4, "batch_size": 16}
    trained = {"architecture": "small_resnet6", "training": {"batch_size": 150}}

    with pytest.raises(ValidationError, match=r"teacher\.training\.batch_size must be at most"):
        TrialConfig.model_validate(
            {"data": few, "teacher": {"members": [{"checkpoint": "a.pt"}, trained]}}
        )
