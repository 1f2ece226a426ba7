import json
import pickle

import pytest
from ledger_study import REPORT, STUDY

from tuner.records import Cause, TrialState
from tuner.search.proposer import Proposer
from tuner.storage.ledger import Ledger
from tuner.study import StudyConfig


@pytest.fixture
def study():
    """``study(**changes)``: a study of nine trials."""
    return lambda **changes: StudyConfig.model_validate({**STUDY, **changes})


@pytest.fixture
def ledger(study, tmp_path):
    return Ledger(study(), tmp_path)


@pytest.fixture
def begin(study):
    """``begin(ledger)``: enter the next trial."""
    proposer = Proposer(study())

    def enter(ledger):
        record = ledger.enter(proposer.next())
        proposer.enter(record, ledger.trial(record.number))
        return record

    return enter


def test_a_new_trial_is_running_with_its_whole_config(ledger, begin):
    record = begin(ledger)

    assert record.state == TrialState.running
    assert record.config["alignments"]["covariance"]["weight"] == 1.0
    assert record.teacher == "resnet"
    assert record.weights == {"alpha": 1, "beta": 1, "gamma": 1, "lambda": 0, "mu": 0}


def test_reports_are_kept_in_the_order_of_epochs_and_replaced_when_repeated(ledger, begin):
    number = begin(ledger).number
    ledger.report(number, {**REPORT, "epoch": 2})
    ledger.report(number, {**REPORT, "epoch": 10})
    ledger.report(number, {**REPORT, "epoch": 2, "val/clean_accuracy": 0.8})

    reports = ledger.record(number).reports

    assert [report["epoch"] for report in reports] == [2, 10]
    assert reports[0]["val/clean_accuracy"] == 0.8


def test_a_complete_trial_has_the_objectives_of_its_last_report(ledger, begin):
    number = begin(ledger).number
    ledger.report(number, REPORT)

    record = ledger.complete(number)

    assert record.state == TrialState.complete
    assert record.values == {"val/clean_accuracy": 0.9, "val/robust_accuracy": 0.4}
    assert record.ended >= record.started


def test_a_trial_without_an_objective_fails_with_that_reason(ledger, begin):
    number = begin(ledger).number
    ledger.report(number, {"epoch": 1, "val/clean_accuracy": 0.9})

    record = ledger.complete(number)

    assert (record.state, record.values) == (TrialState.failed, {})
    assert "val/robust_accuracy" in record.reason


@pytest.mark.parametrize(("end", "state"), [("fail", "failed"), ("stop", "stopped")])
def test_every_other_end_has_its_state_and_reason_and_no_objectives(ledger, end, state, begin):
    number = begin(ledger).number
    ledger.report(number, REPORT)

    record = getattr(ledger, end)(number, "because")

    assert (record.state, record.reason, record.values) == (TrialState(state), "because", {})


def test_a_kill_between_reason_and_end_leaves_an_unfinished_trial(ledger, begin):
    number = begin(ledger).number
    ledger._set(number, "reason", "half written")

    unfinished = ledger.record(number)
    ledger.report(number, REPORT)
    complete = ledger.complete(number)

    assert (unfinished.state, unfinished.reason) == (TrialState.running, "")
    assert (complete.state, complete.reason) == (TrialState.complete, "")


def test_another_process_finds_everything_again(ledger, study, tmp_path, begin):
    for _ in range(3):
        ledger.report(begin(ledger).number, REPORT)
    ledger.complete(1)

    again = Ledger(study(), tmp_path)

    assert again.records() == ledger.records()
    assert again.unfinished() == [0, 2]


def test_a_pickled_ledger_is_the_same_study(ledger, begin):
    begin(ledger)

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


def test_a_config_is_kept_as_what_differs_from_the_base_and_read_whole(ledger, begin):
    record = begin(ledger)

    kept = ledger.trial(record.number).user_attrs["overrides"]

    assert len(json.dumps(kept)) < len(json.dumps(dict(record.config))) / 2
    assert StudyConfig.model_validate(STUDY).base.model_validate(record.config)


@pytest.mark.parametrize("cause", list(Cause))
def test_a_failed_trial_has_a_cause(ledger, begin, cause):
    record = ledger.fail(begin(ledger).number, f"{cause}: because: of this")

    assert (record.cause, record.state) == (cause, TrialState.failed)


def test_what_is_remembered_first_stays(ledger, study, tmp_path):
    first = ledger.remember("space", "one")
    again = Ledger(study(), tmp_path).remember("space", "two")

    assert (first, again) == ("one", "one")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"base": {**STUDY["base"], "epochs": 7}}, "epochs was 2 and is now 7"),
        ({"teachers": {}, "baselines": {}}, r"teachers was \['resnet'\] and is now \[\]"),
    ],
)
def test_two_studies_of_one_name_do_not_share_a_database(study, tmp_path, changes, words):
    storage = f"sqlite:///{tmp_path}/shared.db"
    Ledger(study(storage=storage), tmp_path)

    with pytest.raises(ValueError, match=f"shared.db holds another study called 'small': {words}"):
        Ledger(study(storage=storage, **changes), tmp_path / "elsewhere")


def test_a_study_that_was_begun_before_a_setting_was_there_goes_on(ledger, study, tmp_path):
    bases = json.loads(ledger.noted("bases"))
    del bases[""]["epsilon_warmup"]
    ledger._study.set_user_attr("bases", json.dumps(bases))

    again = Ledger(study(), tmp_path)

    assert len(again) == 0
