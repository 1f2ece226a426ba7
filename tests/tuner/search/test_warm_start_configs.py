"""Configs that somebody wrote down, as the first trials of a study."""

import math

import optuna
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces import SEARCH_SPACES, sample
from search_spaces.reading import read_params
from trainables.config import TrialConfig, override
from tuner.search.proposals import resolve
from tuner.search.search import Search
from tuner.search.warm_start import load_earlier
from tuner.storage.ledger import Ledger
from tuner.study import StudyConfig

TEACHERS = {"resnet": {"architecture": "small_resnet8"}}
STUDY = {"name": "later", "trials": 6, "teachers": TEACHERS, "first_trials": []}
GRAM = "alignments/gram"


def make_study(**changes):
    return StudyConfig.model_validate({**STUDY, "sampler": {"name": "random"}, **changes})


@pytest.fixture
def config_file(tmp_path):
    """``config_file(config)``: a YAML file of a trial's config."""

    def write(config):
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(config))
        return str(path)

    return write


@pytest.mark.parametrize("space", SEARCH_SPACES)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_parameters_read_from_a_config_make_that_config(space, seed):
    study = make_study(search_space=space)
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed)).ask()
    overrides = sample(SEARCH_SPACES[space], trial, teachers=["resnet"])
    config, teacher = resolve(study, overrides)

    params = read_params(
        SEARCH_SPACES[space],
        config.model_dump(mode="json"),
        teacher=teacher or None,
        teachers=["resnet"],
    )

    assert params == trial.params


@pytest.mark.parametrize("space", SEARCH_SPACES)
@pytest.mark.parametrize("seed", range(3))
def test_a_config_to_begin_with_is_the_first_trial_unchanged(space, seed, tmp_path, config_file):
    two = {**TEACHERS, "wide": {"architecture": "small_wide_resnet10"}}
    source = make_study(search_space=space, teachers=two, sampler={"name": "random", "seed": seed})
    drawn = Search(source, Ledger(source, tmp_path), patience=math.inf).ask()
    study = make_study(
        search_space=space, teachers=two, warm_start=[config_file(dict(drawn.config))]
    )
    (tmp_path / "later").mkdir()

    ledger = Ledger(study, tmp_path / "later")
    first = Search(study, ledger, earlier=load_earlier(study), patience=math.inf).ask()

    assert first.config == drawn.config
    assert first.label == "searched"


def in_space(**overrides):
    inside = {
        "student": {"architecture": "small_resnet6"},
        "teacher": TEACHERS["resnet"],
        "alignments": {"gram": {"weight": 1.0}},
        **overrides,
    }
    config = override(make_study().base, inside)
    return TrialConfig.model_validate(config).model_dump(mode="json")


OUTSIDE = {
    "a weight": (
        in_space(alignments={"gram": {"weight": 30.0}}),
        {},
        r"alignments/gram/weight is 30\.0, allowed is",
    ),
    "an architecture": (
        in_space(student={"architecture": "small_resnet8"}),
        {},
        "student/architecture is 'small_resnet8', allowed is",
    ),
    "a fixed value": (in_space(), {"fixed": {f"{GRAM}/weight": 2.0}}, "alignments/gram/weight"),
    "a range": (in_space(), {"ranges": {f"{GRAM}/weight": [2.0, 3.0]}}, r"weight is 1\.0, allowed"),
    "a method": (in_space(method={"name": "rslad"}), {}, "method/name"),
    "a teacher": (
        in_space(teacher={"architecture": "small_wide_resnet10"}),
        {},
        "teacher/architecture",
    ),
    "an alignment": (
        in_space(alignments={"gram": {"weight": 1.0}, "igdm": {"weight": 1.0}}),
        {},
        "alignments/igdm",
    ),
}


@pytest.mark.parametrize(("config", "changes", "words"), OUTSIDE.values(), ids=OUTSIDE)
def test_a_config_outside_the_space_is_refused(config_file, config, changes, words):
    path = config_file(config)

    with pytest.raises(ValueError, match=words) as caught:
        load_earlier(make_study(warm_start=[path], **changes))

    assert str(caught.value).startswith(f"warm_start {path} is outside the search space: ")
