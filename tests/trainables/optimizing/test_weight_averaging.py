import copy

import pytest
import torch
from torch import nn

from trainables.distillation import Distillation
from trainables.optimizing.weight_averaging import (
    ExponentialAverage,
    StochasticAverage,
    WeightAverage,
)


def trace(average, student, num_steps, steps_per_epoch=2):
    """Live and averaged first weights after every step; the student drifts by 1 a step."""
    live, averaged = [], []
    for step in range(1, num_steps + 1):
        with torch.no_grad():
            student.weight += 1.0
        average.after_step(student)
        if step % steps_per_epoch == 0:
            average.after_epoch(student, step // steps_per_epoch)
        live.append(student.weight[0, 0].item())
        averaged.append(average.network.weight[0, 0].item())
    return live, averaged


def student():
    linear = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(linear.weight)
    return linear


def test_ema_follows_its_closed_form_with_the_warm_up_of_the_decay():
    network = student()
    config = ExponentialAverage(decay=0.3, start=0.0)
    average = WeightAverage(config, network, num_steps=6, num_epochs=3)

    live, averaged = trace(average, network, 6)

    expected = [live[0]]
    for t, weight in enumerate(live[1:], start=1):
        decay = min(0.3, (1 + t) / (10 + t))
        expected.append(decay * expected[-1] + (1 - decay) * weight)
    assert averaged == pytest.approx(expected)


def test_ema_is_the_student_itself_until_it_begins():
    network = student()
    config = ExponentialAverage(decay=0.9, start=0.5)
    average = WeightAverage(config, network, num_steps=6, num_epochs=3)

    live, averaged = trace(average, network, 6)

    assert averaged[:4] == live[:4]
    assert averaged[4] < live[4]


def test_swa_is_the_plain_mean_of_the_ends_of_the_epochs_after_its_start():
    network = student()
    config = StochasticAverage(start=0.5)
    average = WeightAverage(config, network, num_steps=8, num_epochs=4)

    live, averaged = trace(average, network, 8)

    assert averaged[3] == live[3]  # epoch 2 of 4: not begun
    assert averaged[7] == (live[5] + live[7]) / 2


def test_buffers_are_copied_not_aliased():
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    average = WeightAverage(ExponentialAverage(), network, num_steps=10, num_epochs=2)

    network(torch.randn(8, 2) + 5.0)
    average.after_step(network)
    then = network[1].running_mean.clone()
    network(torch.randn(8, 2) - 50.0)

    assert torch.equal(average.network[1].running_mean, then)


@pytest.mark.slow
@pytest.mark.parametrize(
    "averaging", [{"name": "ema", "decay": 0.9}, {"name": "swa", "start": 0.4}]
)
def test_a_resumed_average_equals_an_uninterrupted_one(averaging, trial):
    config = trial(teacher=None, epochs=4, averaging=averaging)
    whole, stopped, resumed = (Distillation.build(config) for _ in range(3))
    for _ in range(4):
        whole.train_epoch()
    for _ in range(2):
        stopped.train_epoch()

    resumed.load_state_dict(copy.deepcopy(stopped.state_dict()))
    for _ in range(2):
        resumed.train_epoch()

    expected, found = whole.state_dict(), resumed.state_dict()
    assert all(torch.equal(expected["result"][key], v) for key, v in found["result"].items())
    assert whole.validate() == resumed.validate()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ema", "swa"])
def test_the_average_is_what_is_validated_and_saved(name, trial):
    config = trial(teacher=None, epochs=4, averaging={"name": name, "start": 0.0})
    distillation = Distillation.build(config)
    for _ in range(4):
        distillation.train_epoch()

    state = distillation.state_dict()

    weight = "model.stem.0.weight"
    assert distillation.measured is not distillation.student
    assert not torch.equal(state["result"][weight], state["student"][weight])
    assert torch.equal(state["result"][weight], distillation.measured.state_dict()[weight])


def test_swa_measures_its_own_batch_norm_statistics(trial):
    config = trial(teacher=None, epochs=3, averaging={"name": "swa", "start": 0.0})
    distillation = Distillation.build(config)
    for _ in range(3):
        distillation.train_epoch()

    live, averaged = (
        n.model.stem[1].running_mean for n in (distillation.student, distillation.measured)
    )

    assert not torch.allclose(live, averaged)
