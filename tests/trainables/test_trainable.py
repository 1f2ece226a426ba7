"""The Ray adapter, driven by hand as Ray drives it."""

import time
import weakref

import pytest
import torch

from trainables.distillation import Distillation
from trainables.models.checkpoints import read_checkpoint
from trainables.storage.attempt import SupersededError
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


class Timed(DistillationTrainable):
    """Knows when it was set up."""

    def setup(self, config):
        self.begun = time.monotonic()
        super().setup(config)


def test_the_seconds_of_all_epochs_are_those_of_the_whole_run(config):
    began, rounding = time.monotonic(), 0.002
    trainable = Timed(config())

    first = trainable.step()["report"]["cost/seconds"]
    between = time.monotonic()
    second = trainable.step()["report"]["cost/seconds"]

    # between any two looks at the clock a busy machine may stop us: bounds, no difference
    assert between - trainable.begun - rounding < first + second
    assert first + second < time.monotonic() - began + rounding


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
    (folder,) = whole.parent.glob(".checkpoint.pt.*")
    (folder / "checkpoint.pt").write_bytes(half)  # of the next one, when it died

    (last,) = run_to_its_end(DistillationTrainable(config(number=2)))

    assert last == undisturbed[-1]


def test_a_trial_that_lives_on_elsewhere_leaves_its_second_self_alone(config, tmp_path):
    cut_off = DistillationTrainable(config())
    cut_off.step()
    cut_off.save_checkpoint("unused")
    run_to_its_end(DistillationTrainable(config()))
    whole = (tmp_path / "0" / "checkpoint.pt").read_bytes()

    with pytest.raises(SupersededError, match="written by another process by now"):
        cut_off.step()
    with pytest.raises(SupersededError):
        cut_off.save_checkpoint("unused")

    assert (tmp_path / "0" / "checkpoint.pt").read_bytes() == whole
    assert not (tmp_path / "0" / "error.log").exists()


def test_an_actor_that_ray_makes_and_does_not_use_takes_nothing_up(config):
    used = DistillationTrainable(config())
    used.step()

    DistillationTrainable(config())

    assert used.save_checkpoint("unused")["path"].endswith("checkpoint.pt")


def test_a_restored_trial_goes_on_from_the_newest_checkpoint(config):
    undisturbed = run_to_its_end(DistillationTrainable(config(number=1)))
    used = DistillationTrainable(config(number=2))
    waiting = DistillationTrainable(config(number=2))  # made before the first wrote anything
    used.step()
    waiting.load_checkpoint(used.save_checkpoint("unused"))

    (last,) = run_to_its_end(waiting)

    assert last == undisturbed[-1]


@pytest.mark.slow
def test_nothing_but_the_files_of_a_trial_is_left_by_a_reused_actor(config, tmp_path):
    trainable = DistillationTrainable(config())
    trainable.step()
    trainable.save_checkpoint("unused")

    trainable.reset_config(config(number=1))

    assert sorted(p.name for p in (tmp_path / "0").iterdir()) == ["checkpoint.pt", "machine.json"]


def test_a_finished_trial_that_was_not_reported_is_reported_again(config):
    undisturbed = run_to_its_end(DistillationTrainable(config()))

    (again,) = run_to_its_end(DistillationTrainable(config()))

    validated = {k: v for k, v in undisturbed[-1]["report"].items() if not k.startswith("train/")}
    assert again["done"]
    assert again["report"] == validated


@pytest.mark.slow
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


def test_an_error_with_a_secret_in_it_is_kept_without(config, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted/secret+1")
    broken = config() | {"trial": {"epochs": "s3://KEY:word@bucket planted/secret+1"}}

    (only,) = run_to_its_end(DistillationTrainable(broken))

    log = (tmp_path / "0" / "error.log").read_text()
    assert "s3://KEY:***@bucket ***" in log
    assert "planted/secret" not in log + only["failure"]
    assert "word@" not in log + only["failure"]


def weights_of(trainable):
    """Weak references to everything large that a trial made: weights, gradients, momenta."""
    run = trainable._distillation
    moments = [value for state in run.optimizer.state.values() for value in state.values()]
    gradients = [p.grad for p in run.student.parameters()]
    tensors = [*run.student.parameters(), *gradients, *moments, *run.best.weights.values()]
    return [weakref.ref(tensor) for tensor in tensors if isinstance(tensor, torch.Tensor)]


def test_nothing_of_a_stopped_trial_is_left_when_the_next_one_is_built(config, monkeypatch):
    reused = DistillationTrainable(config(number=1, early_stopping={}))
    reused.step()
    old, build, left = weights_of(reused), Distillation.build, []

    def counted(*arguments, **more):
        left.append(sum(reference() is not None for reference in old))
        return build(*arguments, **more)

    monkeypatch.setattr(Distillation, "build", counted)
    reused.reset_config(config(number=2))

    assert len(old) > 20
    assert left == [0]


def test_a_trial_that_runs_out_of_memory_lets_everything_go_at_once(config, small_device):
    trainable = DistillationTrainable(config())
    trainable.step()
    old = weights_of(trainable)
    small_device(images=100)

    last = trainable.step()

    assert last["failure"].startswith("out of memory: OutOfMemoryError: tried to allocate 300")
    assert last["report"]["epoch"] == 1
    assert [reference() for reference in old] == [None] * len(old)


@pytest.mark.slow
def test_an_actor_that_ran_out_of_memory_goes_on_in_parts_from_the_checkpoint(config, small_device):
    measured = {"batch_size": 300}
    trainable = DistillationTrainable(config(validation=measured))
    trainable.step()
    trainable.save_checkpoint("unused")
    small_device(images=100)
    trainable.step()

    in_parts = {"micro_batches": 3, "from_epoch": 2}
    trainable.reset_config(config(validation=measured, accumulation=in_parts))
    (last,) = run_to_its_end(trainable)

    assert (last["failure"], last["report"]["epoch"], last["done"]) == ("", 2, True)


def test_a_state_that_cannot_be_stored_is_told_and_says_nothing_about_the_trial(config, tmp_path):
    trainable = DistillationTrainable(config())
    trainable.step()
    (tmp_path / "0" / "checkpoint.pt").mkdir()

    saved = trainable.save_checkpoint("")
    result = trainable.step()

    assert saved == {"path": ""}
    assert result["failure"].startswith(f"storage: {tmp_path / '0' / 'checkpoint.pt'} on ")
    assert result["done"]
    assert set(result["report"]) == {"epoch", "cost/seconds"}
