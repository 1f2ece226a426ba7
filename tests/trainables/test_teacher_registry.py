import pytest
from pydantic import ValidationError

from trainables.models.layouts import LAYOUTS
from trainables.models.normalization import KNOWN
from trainables.teacher_config import TeacherConfig
from trainables.teacher_registry import (
    PublicTeacher,
    file_of,
    public_teacher,
    public_teachers,
    teachers_folder,
)

ENTRY = public_teachers()["Zhang2019Theoretically"].model_dump()
CLASSES = {"cifar10": 10, "cifar100": 100, "imagenet": 1000}


@pytest.mark.parametrize("name", public_teachers())
def test_an_entry_agrees_with_itself(name):
    entry = public_teachers()[name]

    assert entry.classes == CLASSES[entry.data]
    assert entry.autoattack_accuracy < entry.clean_accuracy
    assert entry.normalization in {"none", entry.data}
    assert entry.threat == f"linf {entry.epsilon}"


def test_no_two_entries_share_a_file():
    files = [entry.file for entry in public_teachers().values()]

    assert len(set(files)) == len(files)


@pytest.mark.parametrize("epsilon", ["0", "255/8", "eight"])
def test_a_radius_is_above_0_and_at_most_1(epsilon):
    with pytest.raises(ValidationError, match=r"epsilon must be|Invalid literal"):
        PublicTeacher.model_validate({**ENTRY, "epsilon": epsilon})


def test_an_unknown_name_meets_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'Chen2021LTD_WRN34_10'"):
        public_teacher("Chen2021_WRN34_10")


def test_a_missing_file_says_where_to_get_it(tmp_path):
    with pytest.raises(ValueError, match=r"model_cifar_wrn\.pt does not exist; get it from Google"):
        file_of("Zhang2019Theoretically", tmp_path)


def test_a_file_that_is_there_is_found(tmp_path):
    (tmp_path / "model_cifar_wrn.pt").touch()

    assert file_of("Zhang2019Theoretically", tmp_path) == tmp_path / "model_cifar_wrn.pt"


def test_files_lie_below_the_data_s_root(tmp_path):
    assert teachers_folder(tmp_path) == tmp_path / "teachers"


def test_deepmind_s_statistics_are_those_of_the_registry():
    standardising = [layout.name for layout in LAYOUTS if layout.standardises]

    assert standardising == ["DeepMind WideResNet"]
    assert KNOWN[public_teacher("Gowal2020Uncovering_cifar100").normalization].mean[0] == 0.5071


@pytest.mark.parametrize("name", ["Zhang2019Theoretically", "Salman2020Do_R18"])
def test_a_teacher_of_that_name_is_what_the_registry_says(name):
    entry = public_teacher(name)

    teacher = TeacherConfig.model_validate({"name": name})

    assert teacher.architecture == entry.architecture
    assert teacher.normalization == entry.normalization
    assert (teacher.clean_accuracy, teacher.promised_on) == (entry.clean_accuracy, "test")
    assert teacher.from_file
