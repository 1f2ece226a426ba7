import subprocess
import sys

import pytest

from tuner.storage.directory import StudyDirectory
from tuner.study import StudyConfig

STUDY = {"name": "small", "trials": 4, "base": {"epochs": 2}}


@pytest.fixture
def directory(tmp_path):
    return StudyDirectory(tmp_path / "runs" / "small")


def study(**changes):
    return StudyConfig.model_validate({**STUDY, **changes})


def test_a_claimed_directory_holds_the_resolved_study(directory):
    directory.claim(study())

    assert directory.study() == study()


@pytest.mark.parametrize(
    "change",
    [{"trials": 9}, {"resources": {"max_concurrent": 1}}, {"tracking": {"enabled": False}}],
    ids=["trials", "resources", "tracking"],
)
def test_what_does_not_make_it_another_study_may_change(directory, change):
    directory.claim(study())

    directory.claim(study(**change))

    assert directory.study() == study(**change)


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"base": {"epochs": 3}}, "base/epochs was 2 and is now 3"),
        ({"name": "large"}, "name was 'small' and is now 'large'"),
        ({"ranges": {"alignments/gram": [True]}}, "ranges/alignments/gram"),
        (
            {"objectives": [{"metric": "val/clean_accuracy", "direction": "minimize"}]},
            "and is now [{'metric': 'val/clean_accuracy', 'direction': 'minimize'}]",
        ),
    ],
)
def test_another_study_is_refused_with_the_difference_and_nothing_is_overwritten(
    directory, change, difference
):
    directory.claim(study())
    before = directory.config.read_text()

    with pytest.raises(ValueError, match="belongs to another study") as caught:
        directory.claim(study(**change))

    assert difference in str(caught.value)
    assert directory.config.read_text() == before


def test_a_directory_with_other_things_in_it_is_refused(directory):
    directory.path.mkdir(parents=True)
    (directory.path / "thesis.tex").write_text("precious")

    with pytest.raises(ValueError, match=r"holds no study\.yaml"):
        directory.claim(study())

    assert [path.name for path in directory.path.iterdir()] == ["thesis.tex"]


def test_a_driver_that_died_while_it_wrote_the_study_leaves_the_directory_free(directory):
    directory.path.mkdir(parents=True)
    (directory.path / ".lock").write_text("4711")
    (directory.path / ".study.yaml.4711.part").write_text("name: sm")

    directory.claim(study())

    assert directory.study() == study()


@pytest.mark.slow
def test_a_second_driver_is_kept_out_while_the_first_one_works(directory):
    program = (
        "import sys; from pathlib import Path; from tuner.storage.directory import StudyDirectory\n"
        "with StudyDirectory(Path(sys.argv[1])).lock(): pass"
    )
    command = [sys.executable, "-c", program, str(directory.path)]

    with directory.lock():
        second = subprocess.run(command, capture_output=True, text=True, check=False)
    third = subprocess.run(command, capture_output=True, text=True, check=False)

    assert "is being run by process" in second.stderr
    assert third.returncode == 0


def test_a_full_disk_is_said_before_anything_is_written(directory):
    with pytest.raises(ValueError, match="GB free, but the study needs"):
        directory.require_space(1e9)

    assert not directory.path.exists()


def test_a_place_without_a_study_is_named(directory):
    with pytest.raises(ValueError, match="holds no study"):
        directory.study()
