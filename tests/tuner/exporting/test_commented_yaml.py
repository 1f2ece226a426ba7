"""Settings as YAML that says what every field means."""

import pytest
import yaml

from trainables.alignments import ALIGNMENTS
from trainables.config import TrialConfig
from trainables.methods import METHODS
from tuner.exporting.commented_yaml import COLUMN, WIDTH, commented, describe, scalar, summary

TEACHER = {"architecture": "small_resnet8"}
EVERYTHING = {
    "teacher": TEACHER,
    "alignments": dict.fromkeys(ALIGNMENTS, True),
    "averaging": {"name": "ema"},
    "weight_perturbation": {},
    "early_stopping": {},
}
ENSEMBLE = {
    "teacher": {"members": [TEACHER, {"architecture": "small_resnet6"}]},
    "method": {"name": "kd"},
}


def trial(**settings):
    return TrialConfig.model_validate(settings)


def written(config):
    return commented(config.model_dump(mode="json"), config)


@pytest.mark.parametrize("name", METHODS)
def test_every_field_of_every_method_is_described_and_survives(name):
    config = trial(method={"name": name}, teacher=TEACHER, clean_teacher=TEACHER)

    text = written(config)

    assert yaml.safe_load(text) == config.model_dump(mode="json")
    assert all(describe(config).values())


@pytest.mark.parametrize("settings", [EVERYTHING, ENSEMBLE], ids=["everything", "ensemble"])
def test_sections_and_lists_of_sections_survive(settings):
    config = trial(**settings)

    text = written(config)

    assert yaml.safe_load(text) == config.model_dump(mode="json")
    assert all(describe(config).values())


def test_a_comment_stands_beside_its_setting_in_one_column():
    lines = written(trial()).splitlines()

    (seed,) = [line for line in lines if line.startswith("seed:")]
    assert seed == f"{'seed: 0':<{COLUMN}}# of weights, order, augmentation and attack"
    assert max(map(len, lines)) <= WIDTH
    assert {line.index("#") for line in lines if "#" in line} == {COLUMN}


def test_a_long_setting_has_its_comment_below():
    config = trial(student={"architecture": "small_resnet6", "checkpoint": "weights/" + 40 * "x"})

    lines = written(config).splitlines()

    (row,) = [i for i, line in enumerate(lines) if line.startswith("  checkpoint: weights/")]
    assert "#" not in lines[row]
    assert lines[row + 1].startswith(" " * COLUMN + "# weights to begin with")


@pytest.mark.parametrize(
    "value", [1e-05, 0.1 + 0.2, None, True, "yes", "a: b # c", "two\nlines", [1, [2.5]], {}, "null"]
)
def test_a_value_on_one_line_reads_back(value):
    text = scalar(value)

    assert "\n" not in text
    assert yaml.safe_load(text) == value


def test_mathematics_in_a_docstring_loses_its_markup():
    class Term(TrialConfig):
        r""":math:`L = \|G_S - G_T\|_F^2`, with ``weight``."""

    assert summary(Term) == "L = ||G_S - G_T||_F^2, with weight."
