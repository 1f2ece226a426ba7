import math

import pytest
import torch

from trainables.alignments import ALIGNMENTS
from trainables.config import OptimizerConfig
from trainables.distillation import (
    Distillation,
    create_optimizer,
    learning_rate_factor,
)
from trainables.machine.hardware import pick_device
from trainables.models.checkpoints import read_checkpoint, save_atomically

ALL_TERMS = dict.fromkeys(ALIGNMENTS, True)
WITHOUT_ATTACK = ALL_TERMS | {"igdm": False}


def run(config, teacher=None, epochs=None):
    """Train to the end or for ``epochs``; the run and the metrics of every epoch."""
    distillation, history = Distillation.build(config, teacher, teacher), []
    while not distillation.finished and (epochs is None or distillation.epoch < epochs):
        history.append({**distillation.train_epoch(), **distillation.validate()})
    return distillation, history


def same(first, second):
    """Whether two state dicts are equal to the bit."""
    return list(first) == list(second) and all(
        torch.equal(value, second[key]) for key, value in first.items()
    )


def weights_of(distillation):
    return {**distillation.student.state_dict(), **distillation.modules.state_dict()}


def forbid(module):
    """Make any forward pass through ``module`` an error."""

    def refuse(*_):
        raise AssertionError("the teacher was run")

    for part in module.modules():
        part.register_forward_pre_hook(refuse)


# the loss


@pytest.mark.slow
@pytest.mark.parametrize("name", ALIGNMENTS)
def test_a_weight_of_zero_is_the_absence_of_the_term(name, trial, teacher):
    absent, _ = run(trial(epochs=1), teacher)
    forbid(teacher)

    zero, (metrics,) = run(trial(epochs=1, alignments={name: {"weight": 0}}), teacher)

    assert same(zero.student.state_dict(), absent.student.state_dict())
    assert f"train/{name}_loss" not in metrics
    assert len(zero.modules) == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ALIGNMENTS)
def test_a_weight_above_zero_changes_the_student(name, trial, teacher):
    absent, _ = run(trial(epochs=1), teacher)

    present, (metrics,) = run(trial(epochs=1, alignments={name: {"weight": 1}}), teacher)

    assert not same(present.student.state_dict(), absent.student.state_dict())
    assert metrics[f"train/{name}_loss"] > 0


@pytest.mark.slow
def test_the_loss_is_the_sum_of_its_terms(trial, teacher):
    _, (metrics,) = run(trial(epochs=1, alignments=ALL_TERMS), teacher)

    terms = [metrics[f"train/{name}_loss"] for name in ("method", *ALIGNMENTS)]
    assert metrics["train/loss"] == pytest.approx(sum(terms))


# teacher and projectors


@pytest.mark.slow
def test_the_teacher_stays_as_it_is(trial, network):
    teacher = network("wide_resnet_10_1").train()  # careless caller
    before = {key: value.clone() for key, value in teacher.state_dict().items()}

    distillation, _ = run(trial(alignments=ALL_TERMS), teacher)
    distillation.student.train()

    assert same(teacher.state_dict(), before)
    assert not any(module.training for module in teacher.modules())
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_a_run_does_not_change_the_arithmetic_of_a_shared_teacher(trial, network):
    teacher = network("vit_pico_patch2_8")
    before = [getattr(module, "fused_attn", None) for module in teacher.modules()]

    Distillation.build(trial(alignments={"input_gradient": True}), teacher)

    assert [getattr(module, "fused_attn", None) for module in teacher.modules()] == before


def test_a_missing_teacher_is_refused(trial):
    with pytest.raises(ValueError, match="no teacher network was given"):
        Distillation.build(trial(alignments={"gram": True}))


def test_the_linear_projector_is_trained_and_saved(trial, teacher):
    config = trial(alignments={"covariance": True})
    before = (
        Distillation.build(config, teacher).modules["covariance"]["projection-1"].student.weight
    )

    distillation, _ = run(config, teacher, epochs=1)

    saved = distillation.state_dict()["modules"]
    assert list(saved) == ["covariance.projection-1.student.weight"]
    assert saved["covariance.projection-1.student.weight"].shape == (64, 16)
    assert not torch.equal(saved["covariance.projection-1.student.weight"], before)


def test_the_random_projector_is_saved_but_not_trained(trial, teacher):
    config = trial(alignments={"covariance": {"projector": "random_orthogonal"}})
    before = (
        Distillation.build(config, teacher).modules["covariance"]["projection-1"].student.weight
    )

    distillation, _ = run(config, teacher, epochs=1)

    assert torch.equal(
        distillation.state_dict()["modules"]["covariance.projection-1.student.weight"], before
    )


def test_unequal_widths_without_a_projector_are_refused_before_training(trial, teacher):
    config = trial(alignments={"covariance": {"projector": "none"}})

    with pytest.raises(ValueError, match="16 channels and the teacher 64"):
        Distillation.build(config, teacher)


def test_the_first_weights_do_not_depend_on_the_terms(trial, teacher):
    plain, aligned = (
        Distillation.build(trial(alignments=terms), teacher) for terms in ({}, ALL_TERMS)
    )

    assert same(plain.student.state_dict(), aligned.student.state_dict())


# resuming and repeating


@pytest.mark.slow
@pytest.mark.parametrize(
    "optimizer",
    [
        {"name": "sgd"},
        pytest.param(
            {"name": "adamw", "learning_rate": 0.01, "schedule": "cosine"}, marks=pytest.mark.slow
        ),
    ],
)
@pytest.mark.parametrize("method", ["adversarial_training", "kd", "mtard"])
def test_a_run_stopped_and_resumed_equals_one_never_stopped(
    method, optimizer, trial, teacher, tmp_path
):
    config = trial(
        epochs=3,
        method={"name": method},
        optimizer=optimizer,
        alignments=WITHOUT_ATTACK if method == "kd" else ALL_TERMS,
        data={"crop_padding": 1, "flip": True},
    )
    uninterrupted, expected = run(config, teacher)
    stopped, beginning = run(config, teacher, epochs=1)
    save_atomically(stopped.state_dict(), tmp_path / "checkpoint.pt")
    torch.rand(7)  # another trial of the same process

    resumed = Distillation.build(config, teacher, teacher)
    resumed.load_state_dict(read_checkpoint(tmp_path / "checkpoint.pt"))
    ending = [{**resumed.train_epoch(), **resumed.validate()} for _ in range(2)]

    assert beginning + ending == expected
    assert same(weights_of(resumed), weights_of(uninterrupted))
    assert resumed.finished


def test_a_state_is_a_snapshot_that_later_training_does_not_change(trial):
    stopped, _ = run(trial(teacher=None), epochs=1)
    state = stopped.state_dict()
    continued = Distillation.build(trial(teacher=None))
    continued.load_state_dict(state)

    first, second = stopped.train_epoch(), continued.train_epoch()

    assert first == second
    assert same(weights_of(stopped), weights_of(continued))
    assert state["epoch"] == 1
    assert not same(state["student"], stopped.student.state_dict())


@pytest.mark.slow
def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(trial, teacher):
    config = trial(epochs=1, alignments=ALL_TERMS)

    first, again, other = (
        run(candidate, teacher)
        for candidate in (config, config, trial(epochs=1, alignments=ALL_TERMS, seed=1))
    )

    assert first[1] == again[1]
    assert same(weights_of(first[0]), weights_of(again[0]))
    assert not same(weights_of(first[0]), weights_of(other[0]))


def test_every_epoch_of_every_seed_draws_its_own_batches(trial, teacher):
    resting = {"method": {"name": "kd"}, "optimizer": {"learning_rate": 1e-30}}
    first, second = (Distillation.build(trial(**resting, seed=s), teacher) for s in (0, 1))
    second.student.load_state_dict(first.student.state_dict())

    losses = [run.train_epoch()["train/loss"] for run in (first, second) for _ in range(2)]

    assert len(set(losses)) == 4  # equal weights, so only the batches differ


def test_validation_does_not_change_what_follows(trial):
    watched, unwatched = (Distillation.build(trial(teacher=None)) for _ in range(2))

    watched.validate()
    metrics = [watched.train_epoch(), unwatched.train_epoch()]

    assert metrics[0] == metrics[1]
    assert same(weights_of(watched), weights_of(unwatched))


# validation


def test_validation_reports_shares_of_the_validation_images(trial):
    distillation, history = run(trial(teacher=None))

    last = history[-1]
    counts = [last[f"val/{kind}_accuracy"] * 297 for kind in ("clean", "robust")]
    assert counts == [pytest.approx(round(count)) for count in counts]
    assert last["val/robust_accuracy"] <= last["val/clean_accuracy"]
    assert math.isfinite(last["val/variance_gap"])
    assert last == {**last, **distillation.validate()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("when", "epochs"), [("always", [1, 2]), ("last_epoch", [2]), ("never", [])]
)
def test_the_cross_entropy_attack_runs_when_it_is_asked_for(when, epochs, trial):
    config = trial(teacher=None, validation={"cross_entropy": when})

    _, history = run(config)

    measured = [epoch for epoch, metrics in enumerate(history, 1) if "val/pgd2_accuracy" in metrics]
    alarmed = [epoch for epoch, metrics in enumerate(history, 1) if "val/masking_alarm" in metrics]
    assert measured == alarmed == epochs


@pytest.mark.parametrize(("gain", "alarm"), [(1.0, 0.0), (2.0**16, 1.0)])
def test_a_student_that_hides_behind_large_logits_raises_the_alarm(gain, alarm, trial, trained):
    config = trial(teacher=None, validation={"cross_entropy": "always", "attack": {"steps": 10}})
    distillation = Distillation.build(config)
    distillation.student.load_state_dict(trained.state_dict())
    distillation.student.model.fc.weight.data *= gain
    distillation.student.model.fc.bias.data *= gain

    metrics = distillation.validate()

    assert metrics["val/masking_alarm"] == alarm


# optimiser and schedule


@pytest.mark.parametrize(
    ("settings", "progress", "factor"),
    [
        ({"schedule": "constant"}, 0.9, 1.0),
        ({"schedule": "multistep"}, 0.49, 1.0),
        ({"schedule": "multistep"}, 0.5, 0.1),
        ({"schedule": "multistep"}, 0.75, 0.01),
        ({"schedule": "multistep"}, 1.0, 0.01),
        ({"schedule": "cosine"}, 0.0, 1.0),
        ({"schedule": "cosine"}, 0.5, 0.5),
        ({"schedule": "cosine"}, 2 / 3, 0.25),
        ({"schedule": "cosine"}, 1.0, 0.0),
        ({"schedule": "constant", "warmup": 0.2}, 0.05, 0.25),
        ({"schedule": "constant", "warmup": 0.2}, 0.3, 1.0),
        ({"schedule": "one_cycle", "warmup": 0.2}, 0.1, 0.5),
        ({"schedule": "one_cycle", "warmup": 0.2}, 0.2, 1.0),
        ({"schedule": "one_cycle", "warmup": 0.2}, 0.6, 0.5),
        ({"schedule": "one_cycle", "warmup": 0.2}, 1.0, 0.0),
        ({"schedule": "one_cycle"}, 0.25, 0.75),
    ],
)
def test_the_learning_rate_follows_its_closed_form(settings, progress, factor):
    assert learning_rate_factor(OptimizerConfig(**settings), progress) == pytest.approx(factor)


def test_the_learning_rate_falls_twice_in_a_run(trial):
    distillation = Distillation.build(trial(teacher=None, epochs=4))

    rates = []
    for _ in range(4):
        rates.append(distillation.optimizer.param_groups[0]["lr"])
        distillation.train_epoch()

    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.001])


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_the_optimiser_is_set_as_the_config_says(name):
    config = OptimizerConfig(name=name, learning_rate=0.3, weight_decay=0.02, momentum=0.7)
    parameter = torch.nn.Parameter(torch.ones(1))

    optimizer = create_optimizer([parameter], config)

    assert type(optimizer).__name__.lower() == name
    assert optimizer.defaults["lr"] == 0.3
    assert optimizer.defaults["weight_decay"] == 0.02
    assert name == "adamw" or optimizer.defaults["momentum"] == 0.7


@pytest.mark.parametrize(
    ("warmup", "expected"), [(0.0, [0.1] * 4), (1.0, [0.025, 0.05, 0.075, 0.1])]
)
def test_the_radius_of_the_training_attack_grows_during_its_warmup(warmup, expected, trial):
    distillation = Distillation.build(trial(teacher=None, epochs=4, epsilon_warmup=warmup))

    radii = []
    for _ in range(4):
        distillation.train_epoch()
        radii.append(distillation.step.threat.epsilon)

    assert radii == pytest.approx(expected)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="PyTorch sees no GPU"):
        pick_device("cuda")

    assert pick_device("auto") == pick_device("cpu") == torch.device("cpu")
