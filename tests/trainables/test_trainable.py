"""The Ray adapter, driven by hand as Ray drives it."""

import time

import pytest

from trainables.models.checkpoints import read_checkpoint
from trainables.trainable import DistillationTrainable


@pytest.fixture
def config(trial, tmp_path):
    """``config(**overrides)``: what the searcher gives to a trial."""

    def create(number=0, **overrides):
        return {
            "trial": trial(method={"name": "kd", "soft_weight": 0.0}, **overrides).model_dump(
                mode="json"
            ),
            "directory": str(tmp_path / str(number)),
            "teachers": str(tmp_path / "teachers"),
        }

    return create


def run_to_its_end(trainable):
    """What every step returned, without the seconds, which differ from run to run."""
    results = [trainable.step()]
    while not results[-1]["done"]:
        results.append(trainable.step())
    for result in results:
        assert result["report"].pop("cost/seconds") >= 0
    return results


def test_the_seconds_of_all_epochs_are_those_of_the_whole_run(config):
    began = time.monotonic()
    trainable = DistillationTrainable(config())

    spent = [trainable.step()["report"]["cost/seconds"] for _ in range(2)]

    assert sum(spent) == pytest.approx(time.monotonic() - began, abs=0.1)


def test_a_step_is_an_epoch_and_the_last_one_is_done(config):
    first, last = run_to_its_end(DistillationTrainable(config()))

    assert (first["report"]["epoch"], first["done"]) == (1, False)
    assert (last["report"]["epoch"], last["done"]) == (2, True)
    assert {"train/loss", "val/clean_accuracy", "val/robust_accuracy"} <= set(last["report"])
    assert not last["failure"]


def test_the_last_weights_are_on_disk_before_the_last_epoch_is_reported(config, tmp_path):
    run_to_its_end(DistillationTrainable(config()))

    assert read_checkpoint(tmp_path / "0" / "checkpoint.pt")["epoch"] == 2


def test_a_new_process_goes_on_from_the_saved_epoch_to_the_same_numbers(config):
    undisturbed = run_to_its_end(DistillationTrainable(config(number=1)))
    first = DistillationTrainable(config(number=2))
    first.step()
    first.save_checkpoint("unused")

    (last,) = run_to_its_end(DistillationTrainable(config(number=2)))

    assert last == undisturbed[-1]


def test_half_a_checkpoint_is_not_loaded_and_the_trial_goes_on_from_the_whole_one(config, tmp_path):
    undisturbed = run_to_its_end(DistillationTrainable(config(number=1)))
    killed = DistillationTrainable(config(number=2))
    killed.step()
    killed.save_checkpoint("unused")
    whole = tmp_path / "2" / "checkpoint.pt"
    half = whole.read_bytes()[: whole.stat().st_size // 2]
    whole.with_name(".checkpoint.pt.4711").write_bytes(half)  # of the next one, when it died

    (last,) = run_to_its_end(DistillationTrainable(config(number=2)))

    assert last == undisturbed[-1]


def test_a_finished_trial_that_was_not_reported_is_reported_again(config):
    undisturbed = run_to_its_end(DistillationTrainable(config()))

    (again,) = run_to_its_end(DistillationTrainable(config()))

    validated = {k: v for k, v in undisturbed[-1]["report"].items() if not k.startswith("train/")}
    assert again["done"]
    assert again["report"] == validated


def test_an_actor_serves_another_trial_as_a_new_one_would(config):
    reused = DistillationTrainable(config(number=1))
    reused.step()
    reused.reset_config(config(number=2, seed=5))

    assert run_to_its_end(reused) == run_to_its_end(DistillationTrainable(config(number=3, seed=5)))


def test_a_trial_that_diverges_ends_with_that_reason_and_no_checkpoint(config, tmp_path):
    wild = {"learning_rate": 1e30, "schedule": "constant"}
    trainable = DistillationTrainable(config(optimizer=wild))

    last = run_to_its_end(trainable)[-1]

    assert last["failure"].startswith("diverged: ")
    assert trainable.save_checkpoint("unused") == {"path": ""}
    assert not (tmp_path / "0" / "checkpoint.pt").exists()


def test_an_error_is_a_result_with_its_reason_and_a_log(config, tmp_path):
    broken = config() | {"trial": {"epochs": "many"}}

    (only,) = run_to_its_end(DistillationTrainable(broken))

    assert only["failure"].startswith("raised: ValidationError")
    assert "Traceback" in (tmp_path / "0" / "error.log").read_text()
    assert only["report"] == {"epoch": 0}


def test_a_state_that_cannot_be_stored_is_told_and_says_nothing_about_the_trial(config, tmp_path):
    trainable = DistillationTrainable(config())
    trainable.step()
    (tmp_path / "0" / "machine.json").unlink()
    (tmp_path / "0").rmdir()
    (tmp_path / "0").write_text("a file where the folder was")

    saved = trainable.save_checkpoint("")
    result = trainable.step()

    assert saved == {"path": ""}
    assert result["failure"].startswith(f"storage: {tmp_path / '0' / 'checkpoint.pt'} on ")
    assert result["done"]
    assert set(result["report"]) == {"epoch", "cost/seconds"}
