import json

import pytest
import yaml
from pydantic import ValidationError

from trainables.alignments import ALIGNMENTS
from trainables.config import TrialConfig, fingerprint, merge
from trainables.methods import METHODS

EVERYTHING = {
    "method": {"name": "kd", "temperature": 4},
    "teacher": {"architecture": "wide_resnet_10_1", "checkpoint": "teacher.pt"},
    "alignments": {"logits": True, "covariance": {"weight": 0.1}, "gram": False},
    "optimizer": {"learning_rate": "1e-3"},
}


@pytest.mark.parametrize("settings", [{}, EVERYTHING])
def test_survives_json_and_yaml(settings):
    config = TrialConfig.model_validate(settings)
    plain = config.model_dump(mode="json")

    assert TrialConfig.model_validate(json.loads(json.dumps(plain))) == config
    assert TrialConfig.model_validate(yaml.safe_load(yaml.safe_dump(plain))) == config


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_told_by_its_name(name):
    config = TrialConfig.model_validate(
        {
            "method": {"name": name},
            "teacher": {"architecture": "small_resnet8"},
            "clean_teacher": {"architecture": "small_resnet8"},
        }
    )

    assert config.method == METHODS[name]()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epoch": 3}, "Extra inputs are not permitted"),
        ({"optimizer": {"lr": 0.1}}, "Extra inputs are not permitted"),
        ({"epochs": "many"}, "valid integer"),
        ({"epochs": 1.5}, "valid integer"),
        ({"epochs": 0}, "greater than or equal to 1"),
        ({"optimizer": {"learning_rate": float("nan")}}, "finite number"),
        ({"optimizer": {"name": "sdg"}}, "'sgd' or 'adamw'"),
        ({"threat": {"epsilon": 0}}, "greater than 0"),
        ({"threat": {"epsilon": 8}}, "less than or equal to 1"),
        ({"threat": {"norm": "l1"}}, "'linf' or 'l2'"),
        ({"data": {"name": "digit"}}, "unknown data set 'digit'; did you mean 'digits'"),
        ({"student": {"architecture": "resnet81"}}, "did you mean 'resnet18'"),
        ({"teacher": {"architecture": "smal_resnet8"}}, "did you mean 'small_resnet8'"),
        ({"method": {"name": "nonsense"}}, "'nonsense' .*'adversarial_training', 'trades'"),
        ({"alignments": {"hessian": True}}, "Extra inputs are not permitted"),
        ({"method": {"name": "kd"}}, "teacher is missing"),
        ({"hardware": {"device": "tpu"}}, "'auto', 'cpu' or 'cuda'"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(settings, message):
    with pytest.raises(ValidationError, match=message):
        TrialConfig.model_validate(settings)


@pytest.mark.parametrize("name", ALIGNMENTS)
def test_a_term_without_a_teacher_is_refused(name):
    with pytest.raises(ValidationError, match="teacher is missing"):
        TrialConfig.model_validate({"alignments": {name: True}})


def test_the_place_of_an_error_is_named():
    with pytest.raises(ValidationError) as error:
        TrialConfig.model_validate({"alignments": {"gram": {"weight": -1}}, "epochs": 1})

    assert error.value.errors()[0]["loc"] == ("alignments", "gram", "weight")


@pytest.mark.parametrize("weight", [0, 0.0])
def test_a_term_of_weight_zero_needs_no_teacher(weight):
    config = TrialConfig.model_validate({"alignments": {"gram": {"weight": weight}}})

    assert not config.needs_teacher


def test_settings_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        TrialConfig().epochs = 3


def test_the_fingerprint_is_that_of_the_content():
    config = TrialConfig.model_validate(EVERYTHING)
    same = TrialConfig.model_validate(config.model_dump(mode="json"))
    other = TrialConfig.model_validate(merge(EVERYTHING, {"seed": 1}))

    assert fingerprint(config) == fingerprint(same)
    assert fingerprint(config) != fingerprint(other)
    assert len(fingerprint(config)) == 16


def test_overrides_are_merged_key_by_key_into_a_copy():
    base = {"a": {"b": 1, "c": 2}, "d": 3}

    merged = merge(base, {"a": {"c": 4}, "d": {"e": 5}, "f": 6})

    assert merged == {"a": {"b": 1, "c": 4}, "d": {"e": 5}, "f": 6}
    assert base == {"a": {"b": 1, "c": 2}, "d": 3}


def test_a_teacher_is_a_trial_of_its_own_without_a_teacher():
    training = {"epochs": 7, "seed": 3, "label_smoothing": 0.1, "attack": {"steps": 5}}
    config = TrialConfig.model_validate(
        {
            "teacher": {"architecture": "small_resnet8", "training": training},
            "alignments": {"gram": True},
            "threat": {"epsilon": 0.2},
        }
    )

    trial = config.teacher_trial()

    assert trial.student.architecture == "small_resnet8"
    assert (trial.epochs, trial.seed, trial.attack.steps) == (7, 3, 5)
    assert trial.threat == config.threat
    assert trial.method == METHODS["adversarial_training"](label_smoothing=0.1)
    assert trial.teacher is None
    assert not trial.needs_teacher


def test_without_a_teacher_there_is_no_training_of_one():
    with pytest.raises(ValueError, match="has no teacher"):
        TrialConfig().teacher_trial()


def test_true_over_a_dictionary_keeps_what_is_there():
    assert merge({"gram": {"weight": 2}}, {"gram": True}) == {"gram": {"weight": 2}}
    assert merge({"gram": {"weight": 2}}, {"gram": False}) == {"gram": False}
