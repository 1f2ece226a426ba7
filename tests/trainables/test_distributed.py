"""Two processes with half of every batch each come to what one with whole batches comes to."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from ray.exceptions import ActorDiedError

from trainables.checking import check_ranks
from trainables.distributed import Told, each_once, reason, train_distributed
from trainables.workers.ranks import Ranks

pytestmark = pytest.mark.slow  # two processes that train under every method

SCRIPT = Path(__file__).with_name("rank_worker.py")
ROOT = SCRIPT.parents[2]
WORKER = runpy.run_path(str(SCRIPT))
RUNS = [*WORKER["RUNS"], *WORKER["TAKEN_OVER"]]


@pytest.fixture(scope="session")
def found(request, tmp_path_factory):
    """By case that is asked for, what each of two processes computed, in one process group."""
    here = [item for item in request.session.items if item.path == Path(__file__)]
    asked = [item for item in here if "found" in item.fixturenames]
    names = list(dict.fromkeys(item.callspec.params["name"] for item in asked))
    folder = tmp_path_factory.mktemp("ranks")
    command = [sys.executable, str(SCRIPT)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    workers = [
        subprocess.Popen([*command, str(rank), folder / "store", folder, *names], env=environment)
        for rank in (0, 1)
    ]
    assert [worker.wait() for worker in workers] == [0, 0]
    return [torch.load(folder / f"{rank}.pt") for rank in (0, 1)]


@pytest.mark.parametrize("name", WORKER["CASES"])
def test_losses_images_gradients_and_statistics_of_a_step_are_those_of_one_process(name, found):
    case = found[0][name]

    torch.testing.assert_close(case["together"], case["alone"], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", RUNS)
def test_weights_and_metrics_of_a_run_are_those_of_one_process(name, found):
    case = found[0][name]

    torch.testing.assert_close(case["together"], case["alone"], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", [*WORKER["CASES"], *RUNS])
def test_both_processes_come_to_the_same_bits(name, found):
    first, second = (of_rank[name]["together"] for of_rank in found)

    torch.testing.assert_close(first, second, rtol=0, atol=0, equal_nan=True)


def test_a_batch_that_cannot_be_shared_is_refused_with_the_sizes_that_can(trial):
    config = trial(data={"batch_size": 64})

    with pytest.raises(ValueError, match="of 3 workers, got 64; make it 63 or 66"):
        check_ranks(config, Ranks(0, 3))


@pytest.mark.parametrize(
    ("workers", "sentence"), [(0, "at least 1, got 0"), (400, "got 300; make it 400")]
)
def test_an_impossible_number_of_workers_is_refused_before_ray_starts(
    workers, sentence, trial, tmp_path
):
    run = train_distributed(trial(), tmp_path / "checkpoint.pt", tmp_path, workers=workers)

    with pytest.raises(ValueError, match=sentence):
        next(run)
    assert not list(tmp_path.iterdir())


def test_too_few_validation_images_for_the_workers_are_refused(trial):
    config = trial(validation={"images": 3})

    with pytest.raises(ValueError, match="3 are for 2 workers"):
        check_ranks(config, Ranks(0, 2))


def test_a_compiled_run_is_refused(trial):
    with pytest.raises(ValueError, match=r"hardware\.compile is true"):
        check_ranks(trial(hardware={"compile": True}), Ranks(0, 2))


def test_a_single_process_may_do_all_of_it(trial):
    check_ranks(trial(data={"batch_size": 63}, hardware={"compile": True}), Ranks())


def test_an_epoch_is_given_when_its_checkpoint_lies_there():
    told = [
        Told(1, {"loss": 0.5}, saved=False),
        Told(1, {"loss": 0.5}, saved=True),
        Told(2, {"loss": 0.4}, saved=False),
    ]

    assert list(each_once(told)) == [(1, {"loss": 0.5})]


def test_an_epoch_that_a_retry_does_again_is_given_once():
    told = [
        Told(1, {"loss": 0.5}, saved=False),
        Told(1, {"loss": 0.5}, saved=False),  # the worker died before its checkpoint was written
        Told(1, {"loss": 0.5}, saved=True),
        Told(2, {"loss": 0.4}, saved=False),  # it died between the checkpoint and saying so
        Told(3, {"loss": 0.3}, saved=False),
        Told(3, {"loss": 0.3}, saved=True),
    ]

    assert [epoch for epoch, _ in each_once(told)] == [1, 2, 3]


def test_a_finished_run_gives_its_last_epoch():
    assert list(each_once([Told(7, {"loss": 0.1}, saved=True)])) == [(7, {"loss": 0.1})]


def test_a_run_that_is_given_up_names_who_died_and_not_who_missed_it():
    failures = {0: ConnectionError("reset by peer"), 1: ActorDiedError()}

    assert reason(failures) == "the process of worker 1 died"


def test_a_run_that_is_given_up_for_an_error_says_its_last_line():
    failures = {1: RuntimeError("elsewhere"), 0: RuntimeError("Traceback:\n...\nout of memory\n")}

    assert reason(failures) == "out of memory"
    assert reason({0: RuntimeError()}) == "RuntimeError"
