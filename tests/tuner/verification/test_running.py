import io
from pathlib import Path

import pytest
from make_verification import make_run
from rich.console import Console

from tuner.storage.directory import StudyDirectory
from tuner.verification.running import VerificationProgress, describe
from tuner.verification.session import locked
from tuner.verification.student import Student


@pytest.fixture
def student(tmp_path):
    return Student(3, 3, {"seed": 1}, tmp_path / "checkpoint.pt", tmp_path / "here", Path("there"))


def lines(console):
    return console.file.getvalue().splitlines()


def test_a_line_per_student_says_what_it_has_and_how_long_the_rest_takes(student):
    console = Console(file=io.StringIO(), width=200)
    progress = VerificationProgress(console, 3, [10.0], at_once=2, key="autoattack")

    assert progress.time_left() == "about 0:00:10 left"
    with progress:
        progress.draw([student])
        progress.ended(student, make_run(1, 285, 60))

    (line,) = lines(console)
    assert line.startswith("2/3 students, about 0:00:00 left  trial 3 seed 1: clean 95.0 %")
    assert line.endswith("robust 57.3 % at 0.075, 20.0 % at 0.15")


def test_before_anything_is_measured_the_time_is_not_known():
    progress = VerificationProgress(Console(file=io.StringIO()), 3, [], at_once=2, key="autoattack")

    assert progress.time_left() == "time left unknown until the first is measured"


def test_a_terminal_shows_what_is_being_done(student):
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    student.folder.mkdir()
    (student.folder / "status.txt").write_text("epoch 2 of 9")

    with VerificationProgress(console, 3, [], at_once=2, key="autoattack") as progress:
        progress.draw([student])

    assert "trial 3 seed 1: epoch 2 of 9" in console.file.getvalue()


def test_a_failure_is_told_as_it_is():
    assert describe("diverged: loss was nan", "autoattack") == "diverged: loss was nan"


def test_masked_gradients_are_told_at_once():
    assert describe(make_run(0, 285, 60, verdict="masked …"), "autoattack").endswith("gradients?")


def test_two_verifications_of_one_study_do_not_meet(tmp_path):
    place = StudyDirectory(tmp_path)

    with (
        locked(place),
        pytest.raises(ValueError, match="is being verified by process"),
        locked(place),
    ):
        pass
