import pytest
import yaml

from trainables.frozen import Frozen
from tuner.explain import explain
from tuner.search.proposals import check_space
from tuner.study import StudyConfig
from tuner.study_file import find_study, load_study, load_trial, shipped_studies


@pytest.fixture
def study_file(tmp_path):
    """``study_file(path, value)``: the digits study with the value at that path of keys."""

    def create(path, value):
        content = yaml.safe_load(find_study("digits").read_text())
        *parents, leaf = path.split("/")
        place = content
        for parent in parents:
            place = place.setdefault(parent, {})
        place[leaf] = value
        file = tmp_path / "study.yaml"
        file.write_text(yaml.safe_dump(content))
        return file

    return create


BAD = {
    "base/threat/epsilon": [
        (0, "greater than 0"),
        (1.5, "less than or equal to 1"),
        ("big", "number"),
    ],
    "base/threat/epsilonn": [
        (0.1, "unknown key in base/threat 'epsilonn'; did you mean 'epsilon'?")
    ],
    "base/data/name": [("digit", "unknown data set 'digit'; did you mean 'digits'?")],
    "base/student": [({"architecture": "smal_resnet6"}, "did you mean 'small_resnet6'?")],
    "base/method": [
        ({"name": "kdd"}, "unknown base/method/name 'kdd'; did you mean 'kd'?"),
        ({"name": "kd", "temprature": 2}, "did you mean 'temperature'?"),
    ],
    "base/alignments": [
        (
            {"gram": {"weight": -1}},
            "base/alignments/gram/weight must be greater than or equal to 0",
        ),
        ({"gran": True}, "unknown key in base/alignments 'gran'; did you mean 'gram'?"),
        ({"gram": {"axis": "row"}}, "must be 'channel', 'sample' or 'position', got 'row'"),
        ({"gram": {"weight": 1}}, "teacher is missing"),
    ],
    "base/epochs": [(0, "greater than or equal to 1"), (1.5, "integer")],
    "teachers/resnet/architecture": [("resnet_18", "unknown architecture 'resnet_18'")],
    "teachers/resnet/training/epoch": [
        (3, "teachers/resnet/training 'epoch'; did you mean 'epochs'")
    ],
    "trials": [("many", "trials must be a valid integer"), (0, "greater than or equal to 1")],
    "trails": [(3, "unknown key 'trails'; did you mean 'trials'?")],
    "objectives": [
        ([{"metric": "val/robust_acuracy"}], "did you mean 'val/robust_accuracy'?"),
        ([{"metric": "val/clean_accuracy"}] * 2, "objectives must differ"),
        ([], "at least 1 item"),
    ],
    "search_space": [
        ("digit", "unknown search space 'digit'; did you mean 'digits'?"),
        ("no_module:space", "cannot be imported"),
        ("yaml:__doc__", "must be a function or a SearchSpace"),
    ],
    "ranges": [
        ({"alignments/gram/weight": [3, 1]}, "must have low <= high"),
        ({"alignments/gra/weight": [1, 3]}, "did you mean 'alignments/gram/weight'?"),
        ({"alignments/gram/weight": [1, 300]}, "must lie within"),
    ],
    "fixed": [({"alignments/gram/weight": 3000}, "fixed 'alignments/gram/weight'")],
    "first_trials": [
        ([{"alignments/gra": True}], "did you mean 'alignments/gram'?"),
        (
            [{}, {"alignments/gram/weight": 300}],
            "first_trials gives 'alignments/gram/weight' the value 300, allowed is [0.03, 3]",
        ),
        ([{"alignments/gram": "yes"}], "the value 'yes', allowed is True, False"),
    ],
    "baselines": [({"wrong": {"method": {"name": "kdd"}}}, "unknown method/name 'kdd'")],
    "sampler": [({"name": "tpee"}, "must be 'tpe', 'nsga2', 'nsga3', 'gp' or 'random'")],
    "scheduler": [
        ({"name": "halvin"}, "unknown scheduler/name 'halvin'; did you mean 'halving'?"),
        (
            {"name": "halving", "grace_period": 15},
            "scheduler.grace_period must be below base.epochs (15), got 15",
        ),
        (
            {"name": "median", "metric": "val/clean_accuracy", "grace_period": 20},
            "scheduler.grace_period must be below base.epochs (15), got 20",
        ),
        (
            {"name": "halving", "reduction_factor": 1.5},
            "scheduler/reduction_factor must be greater than or equal to 2, got 1.5",
        ),
        ({"name": "halving", "brackets": 0}, "scheduler/brackets must be greater than or equal"),
        ({"name": "halving", "tie_break": "coin"}, "must be 'crowding' or 'epsilon_net'"),
        ({"name": "asha"}, "scheduler/metric is missing"),
        ({"name": "asha", "metric": "val/robust"}, "did you mean 'val/robust_accuracy'?"),
        (
            {"name": "halving", "proxy": {"until": 3, "instead_of": "val/robust_acuracy"}},
            "unknown objective in scheduler.proxy 'val/robust_acuracy'; "
            "did you mean 'val/robust_accuracy'?",
        ),
        (
            {"name": "halving", "proxy": {"until": 3, "metric": "val/variance"}},
            "unknown metric 'val/variance'; did you mean 'val/variance_gap'?",
        ),
    ],
    "replicates": [
        (49, "replicates must be at most the number of trials (48), got 49"),
        (0, "replicates must be greater than or equal to 1, got 0"),
    ],
    "constraints": [
        (
            [{"metric": "val/clean_accuracy"}],
            "a constraint on val/clean_accuracy needs exactly one of at_least and at_most, "
            "got neither",
        ),
        (
            [{"metric": "val/clean_accuracy", "at_least": 0.1, "at_most": 0.2}],
            "exactly one of at_least and at_most, got both",
        ),
        ([{"metric": "clean", "at_least": 0.1}], "unknown metric 'clean'"),
        ([{"metric": "val/clean_accuracy", "at_least": float("nan")}], "finite number"),
    ],
    "sampler/history": [(9, "sampler/history must be greater than or equal to 10, got 9")],
    "warm_start": [("runs/old", "warm_start must be a valid list, got 'runs/old'")],
    "name": [("di gits", "name must match pattern")],
}
CASES = [(path, value, words) for path, cases in BAD.items() for value, words in cases]


@pytest.mark.parametrize(("path", "value", "words"), CASES)
def test_what_is_wrong_is_one_sentence_with_what_is_allowed(study_file, path, value, words):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the sentence is checked below
        check_space(load_study(study_file(path, value)))

    sentence = str(caught.value)
    assert words in sentence
    assert "\n" not in sentence
    assert "validation error" not in sentence


def test_the_number_of_further_errors_is_said(study_file):
    with pytest.raises(ValueError, match=r"\(and 1 more\)"):
        load_study(study_file("base/threat", {"epsilon": 2, "norm": "l3"}))


@pytest.mark.parametrize("text", ["name: [", "just words", "", "- a\n- b", "name: \x00"])
def test_a_file_that_is_no_study_at_all_is_refused(tmp_path, text):
    (tmp_path / "study.yaml").write_text(text)

    with pytest.raises(ValueError, match=r"study\.yaml"):
        load_study(tmp_path / "study.yaml")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        load_trial(tmp_path / "nothing.yaml")


def test_a_misspelt_shipped_study_is_recognised():
    with pytest.raises(ValueError, match="did you mean 'digits'"):
        find_study("digit")


def test_a_path_that_does_not_exist_is_no_shipped_study():
    with pytest.raises(ValueError, match="does not exist"):
        find_study("folder/digits.yaml")


@pytest.mark.parametrize("path", shipped_studies().values(), ids=shipped_studies())
def test_every_shipped_study_is_valid_and_named_as_its_file(path):
    study = load_study(path)

    check_space(study)

    assert study.name == path.stem
    assert len(shipped_studies()) == 1


def test_a_first_trial_must_not_contradict_what_is_fixed(study_file):
    path = study_file("fixed", {"alignments/gram": False})
    content = {**yaml.safe_load(path.read_text()), "first_trials": [{"alignments/gram": True}]}
    path.write_text(yaml.safe_dump(content))

    with pytest.raises(ValueError, match="value True, but fixed pins it to False"):
        check_space(load_study(path))


def test_a_baseline_whose_batch_the_workers_cannot_share_is_refused():
    study = StudyConfig.model_validate(
        {
            "name": "shared",
            "teachers": {"resnet": {"architecture": "small_resnet8"}},
            "baselines": {"small batch": {"data": {"batch_size": 50}}},
            "resources": {"workers": 4},
        }
    )

    with pytest.raises(ValueError, match="multiple of 4 workers, got 50; make it 48 or 52"):
        check_space(study)


def test_one_epoch_needs_no_rung():
    study = StudyConfig.model_validate({"name": "short", "base": {"epochs": 1}})

    assert study.scheduler.milestones(1) == []


@pytest.mark.parametrize("path", shipped_studies().values(), ids=shipped_studies())
def test_a_resolved_study_reads_back_as_itself(path, tmp_path):
    study = load_study(path)
    (tmp_path / "resolved.yaml").write_text(yaml.safe_dump(study.model_dump(mode="json")))

    assert load_study(tmp_path / "resolved.yaml") == study


WRITTEN_BY_US = "tuner.verification.measured"
SETTINGS = [one for one in Frozen.__subclasses__() if one.__module__ != WRITTEN_BY_US]
"""What people write; a verification is written by us."""


@pytest.mark.parametrize("model", SETTINGS, ids=lambda model: model.__name__)
def test_every_field_says_what_it_means(model):
    plain = {str, int, float, bool}

    undescribed = [
        name
        for name, field in model.model_fields.items()
        if field.annotation in plain and not field.description
    ]

    assert undescribed == []


def test_explain_names_the_model_where_the_whole_is_wrong():
    from pydantic import ValidationError

    with pytest.raises(ValidationError) as caught:
        StudyConfig.model_validate([])

    assert explain(caught.value, StudyConfig).startswith("StudyConfig must")


def test_a_study_or_a_folder_in_the_place_of_a_trial_is_called_so(tmp_path):
    study = tmp_path / "study.yaml"
    study.write_text("name: small\nbase: {}\n")

    with pytest.raises(ValueError, match="is a study, not a trial; take one of its configs out"):
        load_trial(study)
    with pytest.raises(ValueError, match="is a folder; give the path"):
        load_trial(tmp_path)
