import pytest
import torch

from trainables.config import TrialConfig
from trainables.distillation import build_network
from trainables.teachers import load_teacher, prepare_teacher, teacher_path

RECIPE = {
    "architecture": "small_resnet6",
    "training": {"epochs": 1, "batch_size": 400, "attack": {"steps": 1}},
}


@pytest.fixture
def taught(trial):
    return trial(teacher=RECIPE, method={"name": "kd"})


@pytest.fixture
def from_file(trial, tmp_path):
    """``from_file(**promise)``: a trial whose teacher comes from a checkpoint of random weights."""

    def create(**promise):
        config = trial(teacher=RECIPE, method={"name": "kd"})
        path = tmp_path / "public.pt"
        torch.save(build_network(config, "small_resnet6", True).model.state_dict(), path)
        checkpoint = {"architecture": "small_resnet6", "checkpoint": str(path), **promise}
        return trial(teacher=checkpoint, method={"name": "kd"})

    return create


def test_a_teacher_is_trained_once(taught, tmp_path):
    first = prepare_teacher(taught, tmp_path)
    written = first.path.stat().st_mtime_ns
    second = prepare_teacher(taught, tmp_path)

    assert (first.trained_now, second.trained_now) == (True, False)
    assert second.path.stat().st_mtime_ns == written
    assert first[:3] == second[:3]


def test_training_it_again_gives_the_same_weights(taught, tmp_path):
    first = torch.load(prepare_teacher(taught, tmp_path / "a").path)
    second = torch.load(prepare_teacher(taught, tmp_path / "b").path)

    torch.testing.assert_close(first["model"], second["model"], rtol=0, atol=0)
    assert first["measured"] == second["measured"]


def test_the_file_says_how_it_was_trained(taught, tmp_path):
    content = torch.load(prepare_teacher(taught, tmp_path).path)

    assert TrialConfig.model_validate(content["config"]) == taught.teacher_trial()


def test_what_makes_no_difference_to_the_teacher_does_not_change_its_place(taught, trial, tmp_path):
    other = trial(
        teacher=RECIPE,
        method={"name": "kd", "temperature": 3},
        data={"batch_size": 60},
        validation={"attack": {"steps": 1}},
    )

    assert teacher_path(other, tmp_path) == teacher_path(taught, tmp_path)


@pytest.mark.parametrize(
    "change",
    [{"threat": {"epsilon": 0.11}}, {"data": {"split_seed": 1}}, {"teacher": {"normalize": False}}],
    ids=["threat", "split", "normalisation"],
)
def test_another_task_has_another_teacher(taught, trial, tmp_path, change):
    other = trial(**{"teacher": RECIPE, "method": {"name": "kd"}} | change)

    assert teacher_path(other, tmp_path) != teacher_path(taught, tmp_path)


def test_a_loaded_teacher_is_frozen_and_shared(taught, tmp_path):
    teacher = load_teacher(taught, tmp_path)

    assert not teacher.training
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    assert load_teacher(taught, tmp_path) is teacher


def test_a_loss_that_asks_no_teacher_loads_none(trial, tmp_path):
    assert load_teacher(trial(teacher=RECIPE), tmp_path) is None
    assert not list(tmp_path.iterdir())


def test_weights_come_from_a_checkpoint_untouched(from_file, tmp_path):
    config = from_file()

    teacher = load_teacher(config, tmp_path / "teachers")

    given = torch.load(config.teacher.checkpoint)
    torch.testing.assert_close(dict(teacher.model.state_dict()), dict(given), rtol=0, atol=0)


def test_a_teacher_that_is_not_as_good_as_promised_is_refused(from_file, tmp_path):
    with pytest.raises(ValueError, match=r"clean_accuracy promises 0\.990"):
        prepare_teacher(from_file(clean_accuracy=0.99), tmp_path / "teachers")

    assert not (tmp_path / "teachers").exists()


def test_a_teacher_within_its_tolerance_is_accepted(from_file, tmp_path):
    prepared = prepare_teacher(from_file(clean_accuracy=0.1, tolerance=0.3), tmp_path / "teachers")

    assert abs(prepared.clean_accuracy - 0.1) <= 0.3


def test_another_file_at_the_same_path_is_another_teacher(from_file, tmp_path):
    config = from_file()
    before = teacher_path(config, tmp_path)
    other = build_network(config, "small_resnet6", True)
    torch.save(other.model.state_dict(), config.teacher.checkpoint)

    assert teacher_path(config, tmp_path) != before
