"""The search without Ray: what is proposed, what ends, what is learnt, what survives a restart."""

import math
import time

import optuna
import pytest

from tuner.records import Cause, TrialState
from tuner.search.search import Search
from tuner.storage.ledger import Ledger
from tuner.storage.stopping import StorageFailedError
from tuner.study import StudyConfig

STUDY = {
    "name": "small",
    "trials": 9,
    "base": {"epochs": 9, "student": {"architecture": "small_resnet6"}},
    "teachers": {"resnet": {"architecture": "small_resnet8"}},
    "baselines": {"AT only": {"method": {"name": "adversarial_training"}}},
    "ranges": {"student/architecture": ["small_resnet6", "vit_pico_patch2_8"]},
    "sampler": {"name": "random"},
    "scheduler": {"name": "halving", "grace_period": 3, "reduction_factor": 3},
}
PLAIN = {"first_trials": [], "baselines": {}}
FIFO = {"scheduler": {"name": "fifo"}}
EVERYTHING_FIXED = {
    "alignments/logits": False,
    "alignments/covariance": False,
    "alignments/input_gradient": False,
    "alignments/gram": False,
    "student/architecture": "small_resnet6",
}


@pytest.fixture
def study():
    """``study(**changes)``: a study of nine trials of nine epochs, with a rung at epoch 3."""
    return lambda **changes: StudyConfig.model_validate({**STUDY, **changes})


@pytest.fixture
def search(study, tmp_path):
    """``search(**changes)``: the search of such a study, as a new driver opens it."""

    def begin(**changes):
        config = study(**changes)
        return Search(config, Ledger(config, tmp_path), patience=math.inf)

    return begin


def report(epoch, clean=0.9, robust=0.4, **more):
    accuracies = {"val/clean_accuracy": clean, "val/robust_accuracy": robust}
    return {"epoch": epoch, **accuracies, **more}


def finish(search, number, **values):
    return search.report(number, report(9, **values), done=True)


def ask_all(search):
    records = []
    while (record := search.ask()) is not None:
        records.append(record)
    return records


def test_trials_are_numbered_from_zero_and_end_at_the_asked_number(search):
    numbers = [record.number for record in ask_all(search())]

    assert numbers == [*range(9)]


def test_the_papers_setting_comes_first_then_the_baselines_then_the_search(search):
    records = ask_all(search())[:4]

    assert [r.label for r in records] == ["paper", "AT only", "AT only", "searched"]
    assert [r.student for r in records[1:3]] == ["small_resnet6", "vit_pico_patch2_8"]


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "nsga3", "gp", "random"])
def test_every_sampler_proposes_after_every_kind_of_end(search, sampler):
    settings = {"name": sampler, "startup_trials": 2, "population_size": 2}
    running = search(sampler=settings, trials=16, **FIFO, **PLAIN)
    ends = [
        lambda number: finish(running, number, clean=0.5 + number / 40),
        lambda number: running.fail(number, f"{Cause.out_of_memory}: 2 GiB"),
        lambda number: running.fail(number, f"{Cause.diverged}: nan"),
        lambda number: running.ledger.stop(number, "rank 4"),
    ]

    for number in range(16):
        assert running.ask().number == number
        ends[number % 4](number)

    assert running.ask() is None


def test_proposals_do_not_depend_on_when_the_driver_was_restarted(study, tmp_path):
    config = study(sampler={"name": "tpe", "startup_trials": 2}, **FIFO)

    def draw(directory, restart):
        directory.mkdir()
        search = Search(config, Ledger(config, directory), patience=math.inf)
        for number in range(9):
            if restart:
                search = Search(config, Ledger(config, directory), patience=math.inf)
            record = search.ask()
            finish(search, record.number, clean=number / 10)
        return [record.params for record in search.ledger.records()]

    assert draw(tmp_path / "restarted", True) == draw(tmp_path / "not", False)


def test_the_searched_trials_of_a_small_discrete_space_do_not_repeat(search):
    choices = {
        "alignments/logits": False,
        "alignments/covariance": False,
        "alignments/input_gradient": False,
        "alignments/gram/weight": 1.0,
    }

    records = ask_all(search(fixed=choices, trials=4, **PLAIN))

    assert len({tuple(sorted(record.params.items())) for record in records}) == 4


def test_the_search_does_not_repeat_a_baseline(search):
    all_off = {f"alignments/{term}": False for term in ("logits", "covariance", "gram")}
    two_left = {"alignments/input_gradient/weight": 1.0}

    records = ask_all(search(fixed=all_off | two_left, first_trials=[], trials=6))

    configs = [record.config for record in records]
    assert all(configs.count(config) == 1 for config in configs)


def test_a_space_that_is_used_up_repeats_rather_than_hangs(search):
    records = ask_all(search(fixed=EVERYTHING_FIXED, trials=3, ranges={}, **PLAIN))

    assert [record.number for record in records] == [0, 1, 2]


def test_a_trial_of_the_worst_is_stopped_at_its_rung_with_the_reason(search):
    running = search(trials=4, **PLAIN)
    for number, record in enumerate(ask_all(running)):
        running.report(record.number, report(3, clean=0.9 - number / 10, robust=0.4 - number / 10))

    states = [record.state for record in running.ledger.records()]

    assert states == [TrialState.running] * 2 + [TrialState.stopped] * 2
    assert running.ledger.record(3).reason.startswith("rank 3 at rung 3")
    assert running.ledger.record(3).values == {}


def test_baselines_and_the_papers_setting_are_never_stopped(search):
    running = search(trials=6)
    records = ask_all(running)
    for record in reversed(records):  # the searched ones first, and far better
        better = 0.5 if record.label == "searched" else 0.0
        running.report(record.number, report(3, clean=0.4 + better, robust=0.1 + better))

    states = {record.label: record.state for record in running.ledger.records()[:3]}

    assert set(states.values()) == {TrialState.running}


def test_a_restarted_driver_remembers_every_rung(search):
    before = search(trials=6, **PLAIN)
    for number, record in enumerate(ask_all(before)[:5]):
        before.report(record.number, report(3, clean=0.9 - number / 10, robust=0.4 - number / 10))

    after = search(trials=6, **PLAIN)
    stopped = after.report(5, report(3, clean=0.3, robust=0.0))

    assert "of the 6 trials" in stopped.reason


def test_a_report_that_was_stored_and_not_judged_is_judged_by_the_next_driver(search):
    before = search(trials=4, **PLAIN)
    records = ask_all(before)
    for number, record in enumerate(records[:3]):
        before.report(record.number, report(3, clean=0.9 - number / 10, robust=0.4 - number / 10))
    before.ledger.report(3, report(3, clean=0.1, robust=0.0))  # killed before the verdict

    after = search(trials=4, **PLAIN)

    assert after.ledger.record(3).state == TrialState.stopped
    assert after.ledger.unfinished() == [0, 1]


def test_an_ended_trial_stays_as_it_ended(search):
    running = search()
    number = running.ask().number
    finish(running, number)

    late = running.report(number, report(9, clean=0.1), done=True)
    given_up = running.fail(number, f"{Cause.worker_died}: late")

    assert late.values["val/clean_accuracy"] == 0.9
    assert given_up.state == TrialState.complete


def test_a_trial_lost_with_its_worker_is_made_good_once(search):
    running = search(trials=3, **PLAIN)
    lost = running.ask()
    running.fail(lost.number, f"{Cause.worker_died}: killed")
    again = running.ask()
    running.fail(again.number, f"{Cause.worker_died}: killed again")

    rest = ask_all(running)

    assert again.config == lost.config
    assert (again.retries, again.label) == (lost.number, "searched")
    assert len(running.ledger) == 4
    assert all(record.config != lost.config for record in rest)


@pytest.mark.slow
def test_a_trial_that_failed_for_want_of_memory_is_not_made_good_and_its_region_is_avoided(search):
    fixed = {f"alignments/{term}": False for term in ("covariance", "gram", "input_gradient")}
    sampler = {"name": "tpe", "startup_trials": 6}
    running = search(fixed=fixed, trials=60, sampler=sampler, **PLAIN, **FIFO)
    big = []
    while (record := running.ask()) is not None:
        if record.student == "vit_pico_patch2_8":
            big.append(record.number)
            running.fail(record.number, f"{Cause.out_of_memory}: 2 GiB")
        else:
            finish(running, record.number, clean=0.5, robust=record.number / 100)

    late = [number for number in big if number >= 20]

    assert len(running.ledger) == 60
    assert len(late) <= 8  # of 40; half of them at random


def test_replicates_run_after_a_config_is_complete_and_differ_in_their_seed(search):
    running = search(trials=7, replicates=3, **PLAIN)
    first, stopped = running.ask(), running.ask()
    running.ledger.stop(stopped.number, "rank 2")
    finish(running, first.number)

    second, third = running.ask(), running.ask()

    assert [second.repeats, third.repeats] == [first.number] * 2
    assert [r.config["seed"] for r in (first, second, third)] == [0, 1, 2]
    assert {**second.config, "seed": 0} == first.config
    assert running.ask().repeats is None


def test_the_sampler_learns_the_mean_of_the_replicates(search):
    running = search(trials=8, replicates=2, **PLAIN)
    first = running.ask()
    finish(running, first.number, clean=0.8)
    second = running.ask()
    before = running._proposer._history.lessons[first.number].values
    finish(running, second.number, clean=0.6)

    after = running._proposer._history.lessons[first.number].values

    assert before is None
    assert after == pytest.approx((0.7, 0.4))


def test_a_lost_replicate_is_made_good_and_then_the_mean_is_learnt(search):
    running = search(trials=8, replicates=2, **PLAIN)
    first = running.ask()
    finish(running, first.number, clean=0.8)
    lost = running.ask()
    running.fail(lost.number, f"{Cause.worker_died}: killed")
    again = running.ask()
    finish(running, again.number, clean=0.6)

    learnt = running._proposer._history.lessons[first.number].values

    assert (again.repeats, again.retries) == (first.number, lost.number)
    assert again.config == lost.config
    assert learnt == pytest.approx((0.7, 0.4))


@pytest.mark.slow
def test_a_slow_sampler_does_not_hold_up_the_loop(study, tmp_path, monkeypatch):
    slow = optuna.samplers.RandomSampler()
    draw = slow.sample_independent
    slow.sample_independent = lambda *arguments: time.sleep(0.3) or draw(*arguments)
    monkeypatch.setattr("tuner.search.history.create_sampler", lambda *_: slow)
    config = study(**PLAIN)
    search = Search(config, Ledger(config, tmp_path), patience=0.01)

    answers = [search.ask()]
    while answers[-1] is None:
        answers.append(search.ask())

    assert len(answers) > 3
    assert answers[-1].number == 0


def test_a_sampler_beyond_its_time_limit_is_replaced_by_a_random_draw(study, tmp_path, monkeypatch):
    slow = optuna.samplers.RandomSampler()
    slow.sample_independent = lambda *_: time.sleep(3)
    quick = optuna.samplers.RandomSampler(seed=0)
    monkeypatch.setattr(
        "tuner.search.history.create_sampler", lambda c, _: quick if c.name == "random" else slow
    )
    config = study(sampler={"name": "gp", "time_limit": 0.2}, **PLAIN)
    search = Search(config, Ledger(config, tmp_path), patience=0.3)

    record = None
    while record is None:  # a busy machine may let even the quick one wait
        record = search.ask()

    assert record.number == 0
    assert record.label == "searched"


def test_a_finished_study_is_extended_by_asking_for_more(search):
    before = search(trials=3, **PLAIN)
    for record in ask_all(before):
        finish(before, record.number)

    after = search(trials=5, **PLAIN)
    added = ask_all(after)

    assert [record.number for record in added] == [3, 4]
    assert after.ledger.records()[:3] == before.ledger.records()[:3]


def test_a_study_with_one_objective_is_searched_and_stopped_the_same_way(search):
    one = [{"metric": "val/robust_accuracy"}]
    running = search(objectives=one, trials=4, **PLAIN)
    for number, record in enumerate(ask_all(running)):
        running.report(record.number, report(3, robust=0.4 - number / 10))

    states = [record.state for record in running.ledger.records()]

    assert states == [TrialState.running] + [TrialState.stopped] * 3 or states[:2] == [
        TrialState.running,
        TrialState.stopped,
    ]


@pytest.mark.parametrize("name", ["asha", "median"])
def test_rays_own_rules_stop_on_their_metric_and_are_rebuilt(search, name):
    rule = {"name": name, "metric": "val/robust_accuracy", "grace_period": 3}
    before = search(scheduler=rule, trials=6, **PLAIN)
    for number, record in enumerate(ask_all(before)[:5]):
        before.report(record.number, report(3, robust=0.5 - number / 20))

    after = search(scheduler=rule, trials=6, **PLAIN)
    stopped = after.report(5, report(3, robust=0.01))

    assert stopped.state == TrialState.stopped
    assert "val/robust_accuracy" in stopped.reason


def test_constraints_come_first_at_a_rung(search):
    bound = [{"metric": "val/clean_accuracy", "at_least": 0.8}]
    running = search(constraints=bound, trials=6, **PLAIN)
    records = ask_all(running)
    for record in records[:5]:
        running.report(record.number, report(3, clean=0.85, robust=0.1 + record.number / 100))

    violating = running.report(5, report(3, clean=0.5, robust=0.9))

    assert violating.state == TrialState.stopped


def test_a_trial_that_cannot_store_its_state_stops_the_study_and_stays_unfinished(search):
    study = search()
    number = study.ask().number
    study.report(number, report(1))

    with pytest.raises(StorageFailedError, match=f"trial {number} cannot store its state: /full"):
        study.report(number, report(2), failure="storage: /full: No space left on device")

    record = study.ledger.record(number)
    assert record.state == TrialState.running
    assert [told["epoch"] for told in record.reports] == [1]
