import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution

from search_spaces import SEARCH_SPACES, SearchSpace, explore, sample, unflatten
from trainables.config import TrialConfig, merge

SPACES = sorted(SEARCH_SPACES)


@pytest.fixture
def study():
    return optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))


def toy(trial):
    if trial.suggest_categorical("alignments/gram", [True, False]):
        trial.suggest_float("alignments/gram/weight", 0.1, 10, log=True)
    trial.suggest_int("attack/steps", 1, 9, step=2)
    return {"method": {"name": "kd"}}


TOY = SearchSpace(toy)


def test_a_deeper_path_wins_over_the_switch_above_it():
    assert unflatten({"a/b": True, "a/b/c": 1, "d": 2}) == {"a": {"b": {"c": 1}}, "d": 2}


def test_suggested_and_constant_values_are_nested_along_their_paths(study):
    study.enqueue_trial({"alignments/gram": True, "alignments/gram/weight": 2.0, "attack/steps": 3})

    overrides = sample(TOY, study.ask())

    assert overrides == {
        "alignments": {"gram": {"weight": 2.0}},
        "attack": {"steps": 3},
        "method": {"name": "kd"},
    }


def test_a_term_that_is_off_has_nothing_to_search(study):
    study.enqueue_trial({"alignments/gram": False})
    trial = study.ask()

    overrides = sample(TOY, trial)

    assert overrides["alignments"] == {"gram": False}
    assert "alignments/gram/weight" not in trial.params


def test_fixed_values_reach_the_config_but_not_the_sampler(study):
    trial = study.ask()

    overrides = sample(TOY, trial, fixed={"alignments/gram": False, "attack/steps": 5})

    assert overrides["attack"] == {"steps": 5}
    assert trial.params == {}


def test_ranges_narrow_what_is_drawn(study):
    trial = study.ask()

    sample(TOY, trial, ranges={"alignments/gram": [True], "alignments/gram/weight": [1, 2]})

    assert trial.distributions["alignments/gram"] == CategoricalDistribution([True])
    assert trial.distributions["alignments/gram/weight"] == FloatDistribution(1, 2, log=True)


def test_several_teachers_become_a_parameter_and_one_does_not(study):
    several, one = study.ask(), study.ask()

    chosen = sample(TOY, several, teachers=["a", "b"])["teacher"]
    only = sample(TOY, one, teachers=["a"])["teacher"]

    assert several.params["teacher"] == chosen
    assert only == "a"
    assert "teacher" not in one.params


@pytest.mark.parametrize(
    ("ranges", "sentence"),
    [
        ({"attack/steps": [5, 3]}, "must have low <= high"),
        ({"attack/steps": [3, 50]}, r"must lie within \[1, 9\]"),
        ({"attack/steps": [3]}, r"must be \[low, high\]"),
        ({"attack/steps": ["a", "b"]}, r"must be \[low, high\]"),
        ({"alignments/gram": ["yes"]}, "allowed: True, False"),
    ],
)
def test_a_range_that_does_not_fit_is_refused_in_a_sentence(ranges, sentence):
    with pytest.raises(ValueError, match=sentence):
        explore(TOY, ranges=ranges)


@pytest.mark.parametrize("fixed", [{"attack/steps": 40}, {"attack/steps": "many"}])
def test_a_fixed_value_outside_the_space_is_refused(fixed):
    with pytest.raises(ValueError, match="fixed 'attack/steps'"):
        explore(TOY, fixed=fixed)


@pytest.mark.parametrize("name", SPACES)
def test_every_draw_of_a_space_makes_a_valid_trial(name, study):
    base = TrialConfig().model_dump(mode="json")
    teacher = {"teacher": {"architecture": "small_resnet8"}}

    configs = [
        TrialConfig.model_validate(
            merge({**base, **teacher}, sample(SEARCH_SPACES[name], study.ask()))
        )
        for _ in range(50)
    ]

    assert len({config.model_dump_json() for config in configs}) > 40


@pytest.mark.parametrize("name", SPACES)
def test_the_paper_setting_lies_in_its_space(name, study):
    (paper, *_) = SEARCH_SPACES[name].first_trials
    study.enqueue_trial(dict(paper))
    trial = study.ask()

    sample(SEARCH_SPACES[name], trial)

    assert trial.params == paper


@pytest.mark.parametrize("name", SPACES)
def test_no_suggested_value_is_returned_again(name, study):
    trial = study.ask()

    constants = SEARCH_SPACES[name].suggest(trial)

    assert not set(unflatten(trial.params)) & set(constants)
