"""The event heap: time, failures, and the same objects that a real run uses."""

from zlib import crc32

import numpy as np
import pytest

from tuner.records import TrialState
from tuner.simulation.curves import Curves, Recording, shipped_recording
from tuner.simulation.engine import Cluster, Simulation
from tuner.simulation.study import StudyArm, simulate
from tuner.study import StudyConfig
from tuner.study_file import find_study, load_study

STUDY = {
    "name": "simulated",
    "trials": 12,
    "base": {"epochs": 9, "student": {"architecture": "small_resnet6"}},
    "teachers": {"resnet": {"architecture": "small_resnet8"}},
    "first_trials": [],
    "sampler": {"name": "random"},
    "scheduler": {"name": "fifo"},
}


@pytest.fixture
def study():
    return lambda **changes: StudyConfig.model_validate({**STUDY, **changes})


def steady(config, _):
    """Nine epochs of 10 s; how good, its alignments decide."""
    generator = np.random.default_rng(crc32(str(config["alignments"]).encode()))
    quality = generator.random()
    return [
        {
            "epoch": epoch,
            "val/clean_accuracy": 0.5 + quality / 4 + epoch / 50,
            "val/robust_accuracy": quality / 2 + epoch / 50,
            "seconds": 10.0,
        }
        for epoch in range(1, 10)
    ]


def run(study, **cluster):
    arm = StudyArm(study, slots=cluster["slots"])
    simulation = Simulation(arm, Cluster(**cluster), steady)
    simulation.until()
    return simulation, arm


def test_trials_take_their_epochs_and_processes_their_start_up(study):
    simulation, arm = run(study(), slots=4, start_up=8.0)

    assert len(arm.ledger) == 12
    assert simulation.now == pytest.approx(3 * 90 + 8)
    assert sum(t.gpu_seconds for t in simulation.trials) == pytest.approx(12 * 90 + 4 * 8)


def test_more_slots_than_trials_help_no_more(study):
    few, _ = run(study(), slots=12, start_up=0.0)
    many, _ = run(study(), slots=1000, start_up=0.0)

    assert few.now == many.now == pytest.approx(90)


def test_the_ledger_holds_every_epoch_of_every_trial(study):
    _, arm = run(study(), slots=3, start_up=0.0)

    records = arm.ledger.records()

    assert {record.state for record in records} == {TrialState.complete}
    assert [[r["epoch"] for r in record.reports] for record in records] == [[*range(1, 10)]] * 12


def test_early_stopping_saves_time(study):
    whole, _ = run(study(trials=30), slots=4, start_up=0.0)
    halving = {"name": "halving", "grace_period": 1}

    stopped, arm = run(study(trials=30, scheduler=halving), slots=4, start_up=0.0)

    states = [record.state for record in arm.ledger.records()]
    assert states.count(TrialState.stopped) > 15
    assert states.count(TrialState.running) == 0
    assert stopped.now < 0.75 * whole.now


def test_failing_nodes_cost_time_and_lose_nothing(study):
    whole, _ = run(study(), slots=4, start_up=0.0)
    failing, arm = run(
        study(),
        slots=4,
        start_up=5.0,
        slots_per_node=2,
        mean_time_between_failures=60.0,
        repair=30.0,
    )

    records = arm.ledger.records()

    assert failing.now > whole.now
    assert {record.state for record in records} == {TrialState.complete}
    assert [[r["epoch"] for r in record.reports] for record in records] == [[*range(1, 10)]] * 12


def test_a_budget_ends_the_simulation_with_trials_still_running(study):
    arm = StudyArm(study(), slots=4)
    simulation = Simulation(arm, Cluster(slots=4, start_up=0.0), steady)

    trials = simulation.until(95)

    assert simulation.now == 95
    assert [trial.complete for trial in trials] == [True] * 4 + [False] * 4


@pytest.fixture(scope="module")
def curves():
    return Curves(shipped_recording())


@pytest.mark.slow
def test_the_shipped_study_is_simulated_to_its_end_and_twice_the_same(curves):
    study = load_study(find_study("digits"))

    first, arm = simulate(study, Cluster(slots=4), curves)
    second, _ = simulate(study, Cluster(slots=4), curves)

    ends = [record.state for record in arm.ledger.records()]
    assert len(ends) == study.trials
    assert TrialState.running not in ends
    assert [t.ended for t in first.trials] == [t.ended for t in second.trials]


def test_curves_of_recorded_configs_are_their_means_and_noise_has_their_size(curves):
    recording = curves.recording
    spreads = [c[:, -1, 0].std(ddof=1) for c in recording.curves]
    middle = int(np.argsort(spreads)[len(spreads) // 2])
    config, recorded = recording.configs[middle], recording.curves[middle]

    expected = curves.mean(config)
    drawn = [curves.run(config, seed)[-1]["val/clean_accuracy"] for seed in range(50)]

    assert expected[-1]["val/clean_accuracy"] == pytest.approx(recorded.mean(axis=0)[-1, 0])
    assert np.std(drawn) == pytest.approx(spreads[middle], rel=0.5)
    assert np.mean(drawn) == pytest.approx(expected[-1]["val/clean_accuracy"], abs=0.05)


def test_a_seed_is_one_world_and_another_another(curves):
    spreads = [c[:, -1, 1].std() for c in curves.recording.curves]
    config = curves.recording.configs[int(np.argmax(spreads))]

    worlds = {curves.run(config, seed)[-1]["val/robust_accuracy"] for seed in range(20)}

    assert curves.run(config, 1) == curves.run(config, 1)
    assert len(worlds) > 1


def test_curves_of_another_task_are_refused_with_the_difference(curves):
    study = load_study(find_study("digits"))
    longer = study.base.model_copy(update={"epochs": 30})

    with pytest.raises(ValueError, match="epochs was 15 and is now 30"):
        curves.require(longer)


def test_a_recording_is_read_as_it_was_written(tmp_path):
    base = {"student": {"architecture": "a"}, "seed": 0}
    configs = [base, {"student": {"architecture": "b"}, "seed": 0}]
    values = [np.arange(8).reshape(2, 2, 2) / 8, np.ones((3, 2, 2))]
    recording = Recording({"by": "hand"}, base, configs, values, ("val/clean_accuracy", "seconds"))

    recording.write(tmp_path / "curves.gz")
    again = Recording.read(tmp_path / "curves.gz")

    assert again.configs == configs
    assert again.metrics == recording.metrics
    assert all((a == b).all() for a, b in zip(again.curves, values, strict=True))
