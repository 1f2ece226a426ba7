import pytest
from rich.console import Console

from tuner.preview import epochs, preview
from tuner.search.students import choose_students, narrowed, remembered_students
from tuner.storage.directory import StudyDirectory
from tuner.storage.ledger import Ledger
from tuner.study import StudyConfig

OWN_SPACE = """
def space(trial):
    trial.suggest_categorical("student/architecture", ["cifar_mobilenetv2", "wide_resnet_10_1"])
    return {"method": {"name": "adversarial_training"}}
"""


def study(**settings):
    return StudyConfig.model_validate({"name": "limited", "trials": 3, **settings})


def test_students_above_a_limit_leave_the_space():
    limited = study(limits={"max_parameters": "10k"})

    students = choose_students(limited)

    assert students.kept == ("small_resnet6", "small_wide_resnet10")
    assert students.removed == {
        "vit_pico_patch2_8": "has 18.2 k parameters, and limits.max_parameters is 10 k"
    }
    assert narrowed(limited, students).ranges["student/architecture"] == list(students.kept)


def test_multiply_adds_and_latency_limit_as_well():
    few = choose_students(study(limits={"max_multiply_adds": "130k"}))

    with pytest.raises(ValueError, match=r"takes .* ms, and limits.max_latency_ms is 1e-06"):
        choose_students(study(limits={"max_latency_ms": 1e-6}))

    assert 0 < len(few.kept) < 3
    assert "multiply-adds, and limits.max_multiply_adds is 130 k" in str(few.removed)


def test_without_limits_a_study_stays_as_it_is():
    unlimited = study()

    students = choose_students(unlimited)

    assert students.removed == {}
    assert narrowed(unlimited, students) is unlimited


def test_the_smallest_student_is_named_if_none_is_small_enough():
    with pytest.raises(ValueError, match=r"smallest is 'small_resnet6': it has 5\.09 k param"):
        choose_students(study(limits={"max_parameters": 100}))


def test_ranges_and_limits_hold_together():
    limited = study(
        ranges={"student/architecture": ["vit_pico_patch2_8", "small_resnet6"]},
        limits={"max_parameters": "10k"},
    )

    assert choose_students(limited).kept == ("small_resnet6",)


def test_a_fixed_student_must_hold_the_limits():
    fixed = {"student/architecture": "vit_pico_patch2_8"}

    with pytest.raises(ValueError, match="no student of the search space holds the limits"):
        choose_students(study(fixed=fixed, limits={"max_parameters": "10k"}))


def test_the_students_of_ones_own_space_are_limited(tmp_path, monkeypatch):
    (tmp_path / "limited_space.py").write_text(OWN_SPACE)
    monkeypatch.syspath_prepend(str(tmp_path))

    students = choose_students(
        study(search_space="limited_space:space", limits={"max_parameters": "1M"})
    )

    assert students.kept == ("wide_resnet_10_1",)


@pytest.mark.slow
def test_a_student_that_needs_other_images_is_refused_before_anything_starts(tmp_path, monkeypatch):
    too_large = OWN_SPACE.replace("cifar_mobilenetv2", "vit_tiny_patch4_32")
    (tmp_path / "large_space.py").write_text(too_large)
    monkeypatch.syspath_prepend(str(tmp_path))

    with pytest.raises(ValueError, match="does not work on images of 8x8 pixels") as error:
        choose_students(study(search_space="large_space:space"))

    assert "'vit_tiny_patch4_32'" in str(error.value)
    assert "the smallest size that works is 32x32" in str(error.value)
    assert "\n" not in str(error.value)


def test_what_was_removed_when_the_study_began_stays_removed(tmp_path):
    limited = study(limits={"max_parameters": "10k"})
    begun = remembered_students(limited, Ledger(limited, tmp_path))

    later = remembered_students(study(), Ledger(limited, tmp_path))

    assert later == begun


def test_the_dry_run_says_what_is_removed_and_why(tmp_path):
    console = Console(record=True, width=200)
    limited = study(
        limits={"max_parameters": "10k"}, teachers={"small": {"architecture": "small_resnet8"}}
    )

    preview(limited, StudyDirectory(tmp_path), console)

    shown = console.export_text()
    assert "without vit_pico_patch2_8: has 18.2 k parameters" in shown
    assert "vit_pico" not in shown.partition("first 3 of 3")[2]


@pytest.mark.parametrize("where", ["objectives", "constraints"])
def test_latency_that_nobody_measures_can_be_no_objective(where):
    asked = {"metric": "student/latency_ms"}
    asked |= {"direction": "minimize"} if where == "objectives" else {"at_most": 1}

    with pytest.raises(ValueError, match=r"set base.validation.latency to true"):
        study(**{where: [asked]})

    measured = study(**{where: [asked]}, base={"validation": {"latency": True}})
    assert getattr(measured, where)[0].metric == "student/latency_ms"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"teachers": {"one": {"training": {"batch_size": 5000}}}},
            "teacher.training.batch_size must be at most 1200",
        ),
    ],
)
def test_what_no_trial_could_begin_with_is_refused_before_the_study_begins(settings, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}"):
        choose_students(study(**settings))


def test_a_dry_run_takes_an_ensemble_and_counts_the_epochs_of_its_members(tmp_path, monkeypatch):
    (tmp_path / "taught_space.py").write_text(OWN_SPACE.replace("adversarial_training", "kd"))
    monkeypatch.syspath_prepend(str(tmp_path))
    console = Console(record=True, width=200)
    taught = study(
        search_space="taught_space:space",
        base={"epochs": 2},
        teachers={
            "both": {
                "members": [
                    {"architecture": "small_resnet8", "training": {"epochs": 5}},
                    {"architecture": "small_resnet6", "training": {"epochs": 7}},
                ]
            }
        },
    )

    preview(taught, StudyDirectory(tmp_path), console)

    assert f"{3 * 2 + 5 + 7} training epochs in all" in console.export_text()


def test_a_clean_teacher_must_work_on_the_images_and_its_epochs_are_counted():
    clean = {"architecture": "small_resnet6", "training": {"epochs": 11}}
    too_large = {"architecture": "vit_tiny_patch4_32"}

    with pytest.raises(ValueError, match="'vit_tiny_patch4_32' does not work on images of 8x8"):
        choose_students(study(base={"clean_teacher": too_large}))

    assert epochs(study(base={"epochs": 2, "clean_teacher": clean})) == 3 * 2 + 11


def test_no_epochs_are_counted_for_a_public_teacher():
    public = {"name": "Zhang2019Theoretically"}

    taught = study(base={"data": {"name": "cifar10"}, "epochs": 2}, teachers={"public": public})

    assert epochs(taught) == 3 * 2


def test_a_student_of_ones_own_space_that_does_not_exist_is_refused(tmp_path, monkeypatch):
    misspelt = OWN_SPACE.replace("cifar_mobilenetv2", "reznet18")
    (tmp_path / "misspelt_space.py").write_text(misspelt)
    monkeypatch.syspath_prepend(str(tmp_path))

    with pytest.raises(ValueError, match="unknown architecture 'reznet18'; did you mean 'resnet18"):
        choose_students(study(search_space="misspelt_space:space"))


def test_a_study_whose_student_begins_with_other_weights_is_refused_in_the_dry_run(tmp_path):
    begun = study(
        base={"student": {"checkpoint": tmp_path / "nowhere.pt"}},
        teachers={"small": {"architecture": "small_resnet8"}},
    )

    with pytest.raises(ValueError, match=r"nowhere\.pt does not exist"):
        preview(begun, StudyDirectory(tmp_path / "runs"), Console(quiet=True))
