"""The study's own run: what never changes as params, what may as tags, sums of its trials."""

import re

from make_records import make_study

from tuner.tracking.parent import params, tags, totals

NAME = re.compile(r"[A-Za-z0-9_\-. :/]+")


def test_the_config_is_there_by_path():
    study = make_study(replicates=2, sampler={"name": "random"})

    found = params(study)

    assert found["sampler/name"] == "random"
    assert found["replicates"] == "2"
    assert found["base/optimizer/learning_rate"] == "0.1"


def test_what_a_later_session_may_change_is_no_param():
    before, after = make_study(), make_study(trials=99, resources={"cpus": 2})

    assert params(before) == params(after)
    assert tags(after)["tuner.trials"] == "99"
    assert '"cpus": 2.0' in tags(after)["tuner.resources"]


def test_names_that_people_give_become_names_that_mlflow_takes():
    study = make_study(baselines={"L_AT (no teacher) + EMA//x": {"seed": 1}})

    found = [name for name in params(study) if name.startswith("baselines")]

    assert found == ["baselines/L_AT _no teacher_ _ EMA/x/seed"]
    assert all(NAME.fullmatch(name) for name in params(study))


def test_totals_name_everything_once_and_sum_what_was_spent():
    trials = [
        {"tuner.method": "kd", "tuner.seconds": "1.5", "tuner.gpu_seconds": "3.0"},
        {"tuner.method": "ard", "tuner.seconds": "2.5", "tuner.gpu_seconds": "5.0"},
        {"tuner.method": "kd"},
    ]

    found = totals(trials)

    assert found["tuner.method"] == "ard; kd"
    assert found["tuner.seconds"] == "4.0"
    assert found["tuner.gpu_seconds"] == "8.0"


def test_an_unknown_cost_is_not_zero():
    assert "tuner.seconds" not in totals([{"tuner.method": "kd"}])
