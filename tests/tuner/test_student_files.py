"""A student's weights alone, wherever a checkpoint is taken."""

import shutil

import pytest
import torch
import yaml
from safetensors.torch import save_file

from trainables.config import TrialConfig
from trainables.distillation import Distillation
from trainables.models.checkpoints import save_atomically
from trainables.models.student_file import write_student
from tuner.diagnosis.measures import find_student
from tuner.evaluation.target import Foreign, find_target

TRIAL = TrialConfig.model_validate(
    {"student": {"architecture": "small_resnet6"}, "epochs": 1, "hardware": {"device": "cpu"}}
)
CONFIG = TRIAL.model_dump(mode="json")


def found_by_evaluate(place):
    return find_target(place, Foreign())


def packed(weights):
    """As safetensors takes them."""
    return {key: value.contiguous() for key, value in weights.items()}


@pytest.fixture(scope="module")
def state():
    return Distillation.build(TRIAL).state_dict()


@pytest.mark.parametrize("find", [found_by_evaluate, find_student])
def test_safetensors_with_their_config_inside_are_a_student(find, state, tmp_path):
    write_student(state, tmp_path / "student.safetensors")

    for place in (tmp_path, tmp_path / "student.safetensors"):
        found = find(place)

        assert found.config == TRIAL
        expected = dict(state["student"])
        torch.testing.assert_close(found.network.state_dict(), expected, rtol=0, atol=0)


@pytest.mark.parametrize("find", [found_by_evaluate, find_student])
def test_safetensors_without_a_config_take_the_one_beside_them(find, state, tmp_path):
    save_file(packed(state["student"]), tmp_path / "student.safetensors")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG))

    assert find(tmp_path / "student.safetensors").config == TRIAL


@pytest.mark.parametrize("find", [found_by_evaluate, find_student])
def test_the_training_state_goes_first(find, state, tmp_path):
    write_student(state, tmp_path / "student.safetensors")
    save_atomically(state, tmp_path / "checkpoint.pt")

    assert find(tmp_path).path == tmp_path / "checkpoint.pt"


def test_a_config_means_the_student_beside_it(state, tmp_path):
    write_student(state, tmp_path / "student.safetensors")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG))

    assert found_by_evaluate(tmp_path / "config.yaml").path == tmp_path / "student.safetensors"


@pytest.mark.parametrize("find", [found_by_evaluate, find_student])
def test_weights_beside_another_config_are_refused(find, state, tmp_path):
    save_file(packed(state["student"]), tmp_path / "student.safetensors")
    other = {**CONFIG, "student": {"architecture": "small_resnet8"}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(other))

    with pytest.raises(ValueError, match="are not of the student that its config describes"):
        find(tmp_path / "student.safetensors")


def test_the_folder_of_several_seeds_names_them(state, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs" / "train" / "best"
    (folder / "seed_0").mkdir(parents=True)
    write_student(state, folder / "seed_0" / "student.safetensors")
    (tmp_path / "best.yaml").write_text(yaml.safe_dump(CONFIG))

    for place in (folder, tmp_path / "best.yaml"):
        with pytest.raises(ValueError, match=r"one of its seeds, such as .*seed_0"):
            found_by_evaluate(place)
    shutil.rmtree(folder)
    with pytest.raises(ValueError, match="is not trained yet"):
        found_by_evaluate(tmp_path / "best.yaml")
