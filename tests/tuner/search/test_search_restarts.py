"""The search in the middle of replicates, retries and first trials, restarted or not."""

import math
import pickle
import time

import optuna
import pytest

from tuner.records import Cause, TrialState
from tuner.search.remaining import missing, wanted
from tuner.search.search import Search
from tuner.search.warm_start import Earlier
from tuner.storage.ledger import Ledger
from tuner.study import StudyConfig

STUDY = {
    "name": "small",
    "trials": 9,
    "base": {"epochs": 9, "student": {"architecture": "small_resnet6"}},
    "teachers": {"resnet": {"architecture": "small_resnet8"}},
    "first_trials": [],
    "sampler": {"name": "random"},
    "scheduler": {"name": "halving", "grace_period": 3, "reduction_factor": 3},
}
ROBUST = {"objectives": [{"metric": "val/robust_accuracy"}]}
BASELINES = {
    "baselines": {"AT only": {"method": {"name": "adversarial_training"}}},
    "ranges": {"student/architecture": ["small_resnet6"]},
}
RESTARTED = pytest.mark.parametrize("restarted", [False, True])


@pytest.fixture
def search(tmp_path):
    """``search(**changes)``: the search of a study of nine trials, as a new driver opens it."""

    def begin(earlier=None, **changes):
        config = StudyConfig.model_validate({**STUDY, **changes})
        return Search(config, Ledger(config, tmp_path), earlier=earlier, patience=math.inf)

    return begin


def report(epoch, clean=0.9, robust=0.4):
    return {"epoch": epoch, "val/clean_accuracy": clean, "val/robust_accuracy": robust}


def finish(search, number, **values):
    return search.report(number, report(9, **values), done=True)


def lose(search, number):
    return search.fail(number, f"{Cause.worker_died}: killed")


def ask_all(search):
    records = []
    while (record := search.ask()) is not None:
        records.append(record)
    return records


@pytest.mark.parametrize("seed", range(8))
def test_a_restarted_search_does_not_repeat_who_goes_on_in_smaller_parts(search, seed):
    off = {f"alignments/{term}": False for term in ("logits", "covariance", "gram")}
    one = {"alignments/input_gradient/weight": 1.0, "alignments/input_gradient/domains": "clean"}
    changes = {
        "fixed": off | one,
        "ranges": {"student/architecture": ["small_resnet6"]},
        "baselines": {},
        "sampler": {"name": "random", "seed": seed},
    }
    first = search(**changes)
    number = first.ask().number
    first.report(number, {"epoch": 0}, failure=f"{Cause.out_of_memory}: 2 GiB", done=True)

    restarted = search(**changes)
    other = restarted.ask()

    assert other.params != restarted.ledger.record(number).params


@RESTARTED
def test_a_lost_replicate_takes_no_other_replicates_place(search, restarted):
    running = search(replicates=3)
    finish(running, running.ask().number)
    lost = running.ask()
    lose(running, lost.number)
    if restarted:
        running = search(replicates=3)

    again, third, other = running.ask(), running.ask(), running.ask()

    assert [again.repeats, third.repeats, other.repeats] == [0, 0, None]
    assert again.retries == lost.number
    assert [r.config["seed"] for r in (lost, again, third)] == [1, 1, 2]


@RESTARTED
def test_the_mean_is_learnt_once_all_replicates_have_ended_however(search, restarted):
    running = search(replicates=3)
    finish(running, running.ask().number, clean=0.9)
    one, two = running.ask(), running.ask()
    running.fail(one.number, f"{Cause.diverged}: nan")
    if restarted:
        running = search(replicates=3)
    before = running._proposer._history.lessons[0].values
    finish(running, two.number, clean=0.7)

    learnt = running._proposer._history.lessons[0].values

    assert before is None
    assert learnt == pytest.approx((0.8, 0.4))
    assert running.ask().repeats is None


def test_a_replicate_lost_twice_leaves_the_mean_to_the_others(search):
    running = search(replicates=2)
    finish(running, running.ask().number, clean=0.9)
    lose(running, running.ask().number)
    lose(running, running.ask().number)

    assert running._proposer._history.lessons[0].values == (0.9, 0.4)
    assert running.ask().repeats is None


def test_a_retry_leads_the_replicates_of_its_config(search):
    running = search(replicates=2)
    lost = running.ask()
    lose(running, lost.number)
    again = running.ask()
    finish(running, again.number)

    replicate = running.ask()

    assert (again.repeats, again.retries) == (None, lost.number)
    assert replicate.repeats == again.number
    assert replicate.config["seed"] == again.config["seed"] + 1
    assert running.ask().repeats is None


def test_baselines_are_repeated_too_and_keep_their_label(search):
    running = search(replicates=2, **BASELINES)
    baseline = running.ask()
    finish(running, baseline.number)

    replicate = running.ask()

    assert (baseline.label, replicate.label) == ("AT only", "AT only")
    assert replicate.repeats == baseline.number


@pytest.mark.slow
@RESTARTED
def test_a_study_ends_with_the_asked_number_whatever_is_lost(search, restarted):
    running = search(replicates=2, **BASELINES)
    for step in range(40):
        record = running.ask()
        if record is None:
            break
        if step % 3 == 1:
            lose(running, record.number)
        else:
            finish(running, record.number, clean=0.5 + step / 100)
        if restarted:
            running = search(replicates=2, **BASELINES)

    records = running.ledger.records()
    made_good = [r for r in records if r.retries is not None]
    assert len(records) == STUDY["trials"] + len(made_good) == wanted(running._study, records)
    assert missing(running._study, records) == 0
    assert len({r.retries for r in made_good}) == len(made_good)


def test_what_is_missing_is_what_runs_and_what_was_not_begun(search):
    running = search()
    finish(running, running.ask().number)
    lose(running, running.ask().number)
    running.ask()

    records = running.ledger.records()

    assert len(records) == 3
    assert missing(running._study, records) == 8  # 9 and 1 made good, of which 2 have ended


def test_a_lowered_number_of_trials_leaves_nothing_missing(search):
    running = search()
    for _ in range(4):
        finish(running, running.ask().number)

    fewer = search(trials=2)

    assert not fewer.wants_more
    assert missing(fewer._study, fewer.ledger.records()) == 0


@RESTARTED
def test_a_retry_does_not_compete_with_the_trial_that_it_makes_good(search, restarted):
    running = search(**ROBUST)
    lost = running.ask()
    running.report(lost.number, report(3, robust=0.5))
    lose(running, lost.number)
    if restarted:
        running = search(**ROBUST)
    again = running.ask()

    judged = running.report(again.number, report(3, robust=0.5))

    assert judged.state == TrialState.running


def test_a_restart_does_not_stop_a_trial_that_has_passed_its_rung(search):
    before = search(trials=4, **ROBUST)
    for record, robust in zip(ask_all(before), (0.4, 0.5, 0.6, 0.7), strict=True):
        before.report(record.number, report(3, robust=robust))  # each the best when it came
        time.sleep(0.002)  # reports are stamped in milliseconds
    for number in (1, 2, 3):
        before.report(number, report(4))

    after = search(trials=4, **ROBUST)

    assert after.ledger.unfinished() == [0, 1, 2, 3]


def test_a_rebuilt_rung_knows_in_which_order_equal_trials_came(search):
    before = search(trials=4, **ROBUST)
    ask_all(before)
    before.report(2, report(3, robust=0.5))
    time.sleep(0.002)
    before.report(0, report(3, robust=0.5))

    after = search(trials=4, **ROBUST)

    assert before.ledger.record(0).state == TrialState.stopped
    assert after.ledger.record(2).state == TrialState.running


def test_first_trials_go_on_where_a_restart_left_them(search):
    first = [{"alignments/gram/weight": w, "alignments/gram": True} for w in (0.1, 0.2, 0.3)]
    one = search(first_trials=first).ask()

    two = search(first_trials=first).ask()
    lose(search(first_trials=first), two.number)
    again, three = ask_all(search(first_trials=first))[:2]

    weights = [r.params["alignments/gram/weight"] for r in (one, two, again, three)]
    assert weights == [0.1, 0.2, 0.2, 0.3]


def test_a_first_trial_that_says_a_part_is_drawn_in_the_rest(search):
    record = search(first_trials=[{"alignments/gram": False}]).ask()

    assert record.params["alignments/gram"] is False
    assert "alignments/gram/weight" not in record.params
    assert "student/architecture" in record.params


def test_a_config_to_begin_with_is_not_the_papers_setting(search, tmp_path, monkeypatch):
    (tmp_path / "bare_space.py").write_text(
        "def suggest(trial):\n"
        "    trial.suggest_float('optimizer/learning_rate', 0.001, 0.1)\n"
        "    return {}\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    first = Earlier(first=({"optimizer/learning_rate": 0.05},))
    changes = {**STUDY, "first_trials": None, "search_space": "bare_space:suggest"}

    record = search(earlier=first, **changes).ask()

    assert record.config["optimizer"]["learning_rate"] == 0.05
    assert record.label == "searched"


def test_a_first_trial_is_not_lost_to_a_sampler_beyond_its_time_limit(tmp_path, monkeypatch):
    slow = optuna.samplers.RandomSampler()
    slow.sample_independent = lambda *_: time.sleep(3)
    quick = optuna.samplers.RandomSampler(seed=0)
    monkeypatch.setattr(
        "tuner.search.history.create_sampler", lambda c, _: quick if c.name == "random" else slow
    )
    changes = {"sampler": {"name": "gp", "time_limit": 0.1}}
    changes["first_trials"] = [{"alignments/gram": True, "alignments/gram/weight": 0.25}]
    config = StudyConfig.model_validate({**STUDY, **changes})

    search = Search(config, Ledger(config, tmp_path), patience=0.2)

    record = None
    while record is None:  # a busy machine may let even the quick one wait
        record = search.ask()

    assert record.params["alignments/gram/weight"] == 0.25


def test_a_last_epoch_that_was_stored_is_not_judged_by_the_next_driver(search):
    asha = {"name": "asha", "metric": "val/robust_accuracy", "grace_period": 3}
    before = search(scheduler=asha, trials=4)
    records = ask_all(before)
    for record in reversed(records):
        before.report(record.number, report(3, robust=0.5))
    for number in (1, 2, 3):
        finish(before, number, robust=0.5)
    before.ledger.report(0, report(9, robust=0.1))  # killed before it was complete

    after = search(scheduler=asha, trials=4)

    assert after.ledger.unfinished() == [0]


def test_a_search_is_pickled_as_nothing_and_a_ledger_as_the_way_to_it(search):
    running = search()
    running.ask()

    ledger = pickle.loads(pickle.dumps(running.ledger))

    assert pickle.loads(pickle.dumps(running)) == ""
    assert ledger.records() == running.ledger.records()
