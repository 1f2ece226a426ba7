"""One student of a verification: really trained, really attacked."""

import pytest

from trainables.config import TrialConfig
from trainables.measuring.attack_text import parse_attack
from trainables.threat import ThreatModel
from tuner.evaluation.measuring import Request
from tuner.verification.student import STATUS, Student, known, run_student

pytestmark = pytest.mark.slow

TRIAL = {
    "student": {"architecture": "small_resnet6"},
    "data": {"batch_size": 50},
    "threat": {"epsilon": 0.1},
    "attack": {"steps": 1, "step_size": 1.0},
    "optimizer": {"schedule": "cosine"},
    "epochs": 2,
    "hardware": {"device": "cpu"},
}
THREAT = ThreatModel(epsilon=0.1)
REQUEST = Request((parse_attack("fgsm"),), (THREAT,), "test", 40, gates=False, seed=0)


def student_of(folder, **changes):
    config = TrialConfig.model_validate({**TRIAL, **changes}).model_dump(mode="json")
    return Student(0, None, config, folder / "checkpoint.pt", folder, folder / "teachers")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    student = student_of(tmp_path_factory.mktemp("student"))
    return student, run_student(student, REQUEST)


def test_a_student_is_trained_and_measured(trained):
    _, run = trained

    assert [(row.key, row.epsilon, row.total) for row in run.measured] == [
        ("clean", 0.0, 40),
        ("fgsm_ce", 0.1, 40),
    ]
    assert run.trial is None
    assert run.verdict is None


def test_what_was_done_is_not_done_again(trained):
    student, run = trained
    before = student.checkpoint.stat().st_mtime_ns

    again = run_student(student, REQUEST)

    assert again == run == known(student, REQUEST)
    assert student.checkpoint.stat().st_mtime_ns == before
    assert not (student.folder / STATUS).exists()


def test_another_attack_is_measured_beside_the_first(trained):
    student, run = trained
    other = Request((parse_attack("fgsm:loss=margin"),), (THREAT,), "test", 40, gates=False, seed=0)

    second = run_student(student, other)

    assert second.measured[1].key == "fgsm_margin"
    assert known(student, REQUEST) == run


def test_another_checkpoint_is_measured_anew(trained, tmp_path):
    student, _ = trained
    (tmp_path / "checkpoint.pt").write_bytes(b"other weights")
    moved = Student(0, 0, student.config, tmp_path / "checkpoint.pt", student.folder, tmp_path)

    assert known(moved, REQUEST) is None


def test_a_training_that_diverges_is_a_reason_and_not_an_error(tmp_path):
    wild = {"name": "sgd", "learning_rate": 1e30, "schedule": "constant"}

    outcome = run_student(student_of(tmp_path, optimizer=wild), REQUEST)

    assert outcome.startswith("diverged: ")
    assert (tmp_path / "error.log").is_file()


def test_a_checkpoint_that_cannot_be_read_is_a_reason(tmp_path):
    (tmp_path / "checkpoint.pt").write_text("not a checkpoint")

    outcome = run_student(student_of(tmp_path), REQUEST)

    assert outcome.startswith("raised: ")
    assert outcome.endswith("(see error.log)")
