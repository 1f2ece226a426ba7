import pytest

from trainables.attacks import AttackConfig
from trainables.config import TrialConfig, override
from trainables.conventions import with_conventions
from trainables.methods.rslad import RobustSoftLabelDistillation

TEACHERS = {"teacher": {"architecture": "small_resnet8"}}


def config(**settings):
    return TrialConfig.model_validate({**TEACHERS, **settings})


def test_a_method_brings_what_its_authors_set():
    rslad = config(method={"name": "rslad"})
    variance_gap = config(method={"name": "variance_gap"})

    assert (rslad.attack.start, rslad.attack.batch_norm) == ("gaussian", "eval")
    assert list(variance_gap.alignments.active()) == ["logits", "covariance", "gram"]
    assert rslad.alignments.active() == {}


def test_the_default_method_has_conventions_too():
    assert TrialConfig().attack.batch_norm == "train"


def test_what_the_user_says_wins():
    trial = config(
        method={"name": "kdiga_ard"},
        attack={"start": "none"},
        alignments={"input_gradient": {"domains": "adversarial"}, "gram": True},
    )

    assert trial.attack.start == "none"
    assert trial.attack.batch_norm == "train"
    assert trial.alignments.input_gradient.domains == "adversarial"
    assert trial.alignments.input_gradient.weight == 0.7
    assert trial.alignments.gram is not None


@pytest.mark.parametrize("off", [False, None])
def test_an_alignment_of_the_method_can_be_switched_off(off):
    trial = config(method={"name": "variance_gap"}, alignments={"gram": off})

    assert list(trial.alignments.active()) == ["logits", "covariance"]


def test_settings_objects_in_code_count_as_far_as_they_were_set():
    trial = TrialConfig(
        method=RobustSoftLabelDistillation(), attack=AttackConfig(steps=3), **TEACHERS
    )

    assert trial.attack == AttackConfig(steps=3, start="gaussian", batch_norm="eval")


def test_a_resolved_trial_is_its_own_resolution():
    trial = config(method={"name": "variance_gap"}, alignments={"gram": False})

    assert TrialConfig.model_validate(trial.model_dump(mode="json")) == trial


def test_nonsense_is_left_to_the_validation():
    assert with_conventions({"method": "rslad"}, "kd") == {"method": "rslad"}
    assert with_conventions({"method": {"name": ["x"]}}, "kd") == {"method": {"name": ["x"]}}


# a base for one method serves trials of another


def test_what_followed_from_the_bases_method_is_gone_with_it():
    base = config(method={"name": "variance_gap"}, attack={"steps": 3})

    other = config(**override(base, {"method": {"name": "rslad"}}))

    assert other == config(method={"name": "rslad"}, attack={"steps": 3})


def test_what_the_other_method_brings_is_not_hidden_by_the_base():
    other = config(**override(config(), {"method": {"name": "kdiga"}}))

    assert other == config(method={"name": "kdiga"})


def test_what_the_user_changed_in_the_base_stays():
    base = config(attack={"batch_norm": "eval"}, alignments={"gram": {"weight": 3.0}})

    other = config(**override(base, {"method": {"name": "ard"}}))

    assert other.attack.batch_norm == "eval"
    assert other.alignments.gram.weight == 3.0
    assert other.alignments.covariance is None


def test_a_trial_of_the_same_method_keeps_its_settings():
    base = config(method={"name": "ard", "temperature": 2.0})

    values = override(base, {"method": {"soft_weight": 0.5}})

    method = config(**values).method
    assert (method.temperature, method.soft_weight) == (2.0, 0.5)
