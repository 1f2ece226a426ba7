import pickle

import pytest

from tuner.ledger import Ledger
from tuner.records import TrialState
from tuner.study import StudyConfig

STUDY = {
    "name": "small",
    "trials": 9,
    "base": {"epochs": 2, "student": {"architecture": "small_resnet6"}},
    "teachers": {"resnet": {"architecture": "small_resnet8"}},
    "baselines": {"AT only": {"method": {"name": "adversarial_training"}}},
    "ranges": {"student/architecture": ["small_resnet6", "vit_pico_patch2_8"]},
    "sampler": {"name": "random"},
}
REPORT = {"epoch": 2, "val/clean_accuracy": 0.9, "val/robust_accuracy": 0.4}


@pytest.fixture
def study():
    """``study(**changes)``: a study of nine trials."""
    return lambda **changes: StudyConfig.model_validate({**STUDY, **changes})


@pytest.fixture
def ledger(study, tmp_path):
    return Ledger(study(), tmp_path)


def test_trials_are_numbered_from_zero_and_end_at_the_asked_number(ledger):
    numbers = [ledger.propose() for _ in range(11)]

    assert numbers == [*range(9), None, None]


def test_the_papers_setting_comes_first_then_the_baselines_then_the_search(ledger):
    for _ in range(4):
        ledger.propose()

    assert [record.label for record in ledger.records()] == [
        "paper",
        "AT only",
        "AT only",
        "searched",
    ]
    assert [r.student for r in ledger.records()[1:3]] == ["small_resnet6", "vit_pico_patch2_8"]


def test_a_new_trial_is_running_with_its_whole_config(ledger):
    record = ledger.record(ledger.propose())

    assert record.state == TrialState.running
    assert record.config["alignments"]["covariance"]["weight"] == 1.0
    assert record.teacher == "resnet"
    assert record.weights == {"alpha": 1, "beta": 1, "gamma": 1, "lambda": 0, "mu": 0}


def test_reports_are_kept_in_the_order_of_epochs_and_replaced_when_repeated(ledger):
    number = ledger.propose()
    ledger.report(number, {**REPORT, "epoch": 2})
    ledger.report(number, {**REPORT, "epoch": 10})
    ledger.report(number, {**REPORT, "epoch": 2, "val/clean_accuracy": 0.8})

    reports = ledger.record(number).reports

    assert [report["epoch"] for report in reports] == [2, 10]
    assert reports[0]["val/clean_accuracy"] == 0.8


def test_a_complete_trial_has_the_objectives_of_its_last_report(ledger):
    number = ledger.propose()
    ledger.report(number, REPORT)

    record = ledger.complete(number)

    assert record.state == TrialState.complete
    assert record.values == {"val/clean_accuracy": 0.9, "val/robust_accuracy": 0.4}
    assert record.ended >= record.started


def test_a_trial_without_an_objective_fails_with_that_reason(ledger):
    number = ledger.propose()
    ledger.report(number, {"epoch": 1, "val/clean_accuracy": 0.9})

    record = ledger.complete(number)

    assert (record.state, record.values) == (TrialState.failed, {})
    assert "val/robust_accuracy" in record.reason


@pytest.mark.parametrize(("end", "state"), [("fail", "failed"), ("stop", "stopped")])
def test_every_other_end_has_its_state_and_reason_and_no_objectives(ledger, end, state):
    number = ledger.propose()
    ledger.report(number, REPORT)

    record = getattr(ledger, end)(number, "because")

    assert (record.state, record.reason, record.values) == (TrialState(state), "because", {})


def test_a_kill_between_reason_and_end_leaves_an_unfinished_trial(ledger):
    number = ledger.propose()
    ledger._set(number, "reason", "half written")

    unfinished = ledger.record(number)
    ledger.report(number, REPORT)
    complete = ledger.complete(number)

    assert (unfinished.state, unfinished.reason) == (TrialState.running, "")
    assert (complete.state, complete.reason) == (TrialState.complete, "")


def test_another_process_finds_everything_again(ledger, study, tmp_path):
    for _ in range(3):
        ledger.report(ledger.propose(), REPORT)
    ledger.complete(1)

    again = Ledger(study(), tmp_path)

    assert again.records() == ledger.records()
    assert again.unfinished() == [0, 2]


def test_a_pickled_ledger_is_the_same_study(ledger):
    ledger.propose()

    again = pickle.loads(pickle.dumps(ledger))

    assert again.records() == ledger.records()


def test_other_directions_are_refused(study, tmp_path):
    Ledger(study(), tmp_path)
    minimised = [
        {"metric": "val/clean_accuracy"},
        {"metric": "student/parameters", "direction": "minimize"},
    ]

    with pytest.raises(ValueError, match="directions"):
        Ledger(study(objectives=minimised), tmp_path)


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "nsga3", "gp", "random"])
def test_every_sampler_proposes_from_a_half_finished_study(study, tmp_path, sampler):
    settings = {"name": sampler, "startup_trials": 2, "population_size": 2}
    ledger = Ledger(study(sampler=settings), tmp_path)

    for number in range(8):
        assert ledger.propose() == number
        report = {**REPORT, "val/clean_accuracy": 0.5 + number / 20}
        ledger.report(number, report)
        if number % 2:
            ledger.complete(number)

    assert len(ledger.unfinished()) == 4


def test_proposals_do_not_depend_on_when_the_driver_was_restarted(study, tmp_path):
    def draw(directory, restart):
        directory.mkdir()
        ledger = Ledger(study(sampler={"name": "tpe", "startup_trials": 2}), directory)
        for number in range(9):
            ledger = (
                Ledger(study(sampler={"name": "tpe", "startup_trials": 2}), directory)
                if restart
                else ledger
            )
            ledger.propose()
            ledger.report(number, {**REPORT, "val/clean_accuracy": number / 10})
            ledger.complete(number)
        return [record.params for record in ledger.records()]

    assert draw(tmp_path / "restarted", True) == draw(tmp_path / "not", False)


def test_the_searched_trials_of_a_small_discrete_space_do_not_repeat(study, tmp_path):
    choices = {
        "alignments/logits": False,
        "alignments/covariance": False,
        "alignments/input_gradient": False,
        "alignments/gram/weight": 1.0,
    }
    discrete = study(
        fixed=choices,
        first_trials=[],
        baselines={},
        trials=4,
        ranges={"student/architecture": ["small_resnet6", "vit_pico_patch2_8"]},
    )
    ledger = Ledger(discrete, tmp_path)
    for _ in range(4):
        ledger.propose()

    drawn = [tuple(sorted(record.params.items())) for record in ledger.records()]

    assert len(set(drawn)) == 4


def test_the_search_does_not_repeat_a_baseline(study, tmp_path):
    all_off = {f"alignments/{term}": False for term in ("logits", "covariance", "gram")}
    students = {"student/architecture": ["small_resnet6", "vit_pico_patch2_8"]}
    two_left = {"alignments/input_gradient/weight": 1.0}
    config = study(fixed=all_off | two_left, first_trials=[], trials=6, ranges=students)
    ledger = Ledger(config, tmp_path)
    for _ in range(6):
        ledger.propose()

    configs = [record.config for record in ledger.records()]

    assert all(configs.count(config) == 1 for config in configs)


def test_a_space_that_is_used_up_repeats_rather_than_hangs(study, tmp_path):
    used_up = {
        "alignments/logits": False,
        "alignments/covariance": False,
        "alignments/input_gradient": False,
        "alignments/gram": False,
        "student/architecture": "small_resnet6",
    }
    ledger = Ledger(
        study(fixed=used_up, first_trials=[], baselines={}, trials=3, ranges={}), tmp_path
    )

    assert [ledger.propose() for _ in range(4)] == [0, 1, 2, None]
