"""A batch in parts comes to what the whole batch comes to, where images are not coupled."""

import pytest
import torch

from trainables.config import TrialConfig
from trainables.distillation import Distillation
from trainables.methods import METHODS
from trainables.models import allow_double_backward
from trainables.optimizing.accumulation import next_number, shared_momentum
from trainables.training import Networks, Step

PER_IMAGE = ["logits", "input_gradient"]
"""Terms that compare image by image."""

ALONE = {"teacher": None, "clean_teacher": None}

CASES = {
    **{name: {"method": {"name": name}} for name in METHODS},
    **{f"alignment {name}": {"alignments": {name: True}} for name in PER_IMAGE},
    "gaussian start": {"attack": {"start": "gaussian"}},
}


@pytest.fixture
def a_step(trial, network, digits):
    """``a_step(micro_batches, **overrides)``: loss, gradients, the step."""

    def compute(micro_batches, **overrides):
        config = trial(**overrides)
        torch.manual_seed(5)
        student, teacher, clean_teacher = (
            network(name).double()
            for name in ("vit_pico_patch2_8", "small_resnet6", "small_resnet8")
        )
        allow_double_backward(student)
        step = Step(
            method=config.method,
            alignments={k: v for k, v in config.alignments.active().items() if k in PER_IMAGE},
            modules=torch.nn.ModuleDict({name: torch.nn.ModuleDict() for name in PER_IMAGE}),
            threat=config.threat,
            attack=config.attack,
            micro_batches=micro_batches,
        )
        networks = Networks(student.train(), teacher.eval(), clean_teacher.eval())
        generator = torch.Generator().manual_seed(1)
        images, labels = digits.train.images[:24].double(), digits.train.labels[:24]
        total = 0.0
        for batch in step.batches(images, labels, networks, generator):
            loss = sum(step.losses(batch).values())
            loss.backward()
            total += loss.item()
        return total, {name: p.grad for name, p in student.named_parameters()}, step

    return compute


@pytest.mark.parametrize("case", CASES)
def test_losses_gradients_and_state_in_parts_are_those_of_the_whole_batch(case, a_step):
    loss, gradients, step = a_step(1, **CASES[case])

    in_parts, summed, step_in_parts = a_step(3, **CASES[case])

    assert in_parts == pytest.approx(loss, rel=1e-10)
    torch.testing.assert_close(summed, gradients, rtol=1e-8, atol=1e-12)
    torch.testing.assert_close(firsts(step_in_parts.state), firsts(step.state))


def firsts(state):
    """What a method remembers of the losses of its first step."""
    return {name: value for name, value in state.items() if name.startswith("first")}


def test_running_statistics_move_as_far_in_four_passes_as_in_one(network):
    images, student = torch.rand(32, 1, 8, 8), network("small_resnet6").train()
    whole = network("small_resnet6").train()
    whole.load_state_dict(student.state_dict())

    whole(images)
    with shared_momentum(student, 4):
        for _ in range(4):
            student(images)

    moved = {k: v for k, v in student.named_buffers() if "running" in k}
    expected = {k: v for k, v in whole.named_buffers() if "running" in k}
    torch.testing.assert_close(moved, expected)


def test_the_momentum_of_batch_norm_is_put_back(network):
    student = network("small_resnet6")
    before = [getattr(module, "momentum", None) for module in student.modules()]

    with shared_momentum(student, 2):
        inside = [getattr(module, "momentum", None) for module in student.modules()]

    assert inside != before
    assert [getattr(module, "momentum", None) for module in student.modules()] == before


def test_a_device_too_small_for_a_batch_trains_it_in_parts(trial, small_device):
    small_device(images=150)

    with pytest.raises(torch.OutOfMemoryError):
        Distillation.build(trial(**ALONE)).train_epoch()
    run = Distillation.build(trial(**ALONE, accumulation={"micro_batches": 2}))

    assert run.train_epoch()["train/loss"] > 0


@pytest.mark.slow
def test_a_run_goes_on_in_parts_from_the_epoch_that_is_named(trial):
    whole = Distillation.build(trial(**ALONE))
    whole.train_epoch()
    later = {"micro_batches": 2, "from_epoch": 2}
    again = Distillation.build(trial(**ALONE, accumulation=later))

    again.load_state_dict(whole.state_dict())
    continued = again.train_epoch()
    from_the_start = Distillation.build(trial(**ALONE, accumulation=later))
    from_the_start.train_epoch()

    assert continued == from_the_start.train_epoch()
    assert continued != whole.train_epoch()


def test_without_accumulation_a_config_is_written_as_before_it_existed(trial):
    assert "accumulation" not in trial().model_dump()
    assert trial(accumulation={"micro_batches": 2}).model_dump()["accumulation"] == {
        "micro_batches": 2,
        "from_epoch": 1,
    }


def test_parts_that_do_not_divide_a_batch_are_refused():
    with pytest.raises(ValueError, match=r"must divide data.batch_size \(128\), got 3"):
        TrialConfig(data={"batch_size": 128}, accumulation={"micro_batches": 3})


@pytest.mark.parametrize(
    ("size", "workers", "present", "expected"),
    [
        (128, 1, 1, 2),
        (128, 1, 2, 4),
        (63, 1, 1, 3),
        (64, 2, 1, 2),
        (4, 1, 2, None),
        (7, 1, 1, None),
    ],
)
def test_the_next_number_of_parts_divides_what_a_worker_has(size, workers, present, expected):
    assert next_number(size, workers, present) == expected
