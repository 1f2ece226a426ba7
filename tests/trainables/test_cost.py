import pytest
import torch
from torch import nn

from trainables.models import Network, cost, latency_ms
from trainables.models.cost import measured_latency_ms

CPU = torch.device("cpu")


def test_parameters_and_multiply_adds_of_a_resnet_are_those_of_the_formula():
    convolutions = 3 * 9 * 16 * 32**2  # the stem
    convolutions += 2 * 3 * 9 * 16 * 16 * 32**2
    convolutions += 9 * 16 * 32 * 16**2 + 5 * 9 * 32 * 32 * 16**2
    convolutions += 9 * 32 * 64 * 8**2 + 5 * 9 * 64 * 64 * 8**2

    counted = cost("cifar_resnet20", (3, 32, 32), 10)

    assert counted.multiply_adds == convolutions + 64 * 10
    assert counted.parameters == 269_722


def test_attention_is_counted():
    counted = cost("vit_pico_patch2_8", (1, 8, 8), 10)

    tokens, width = 16, 32
    embedding = tokens * 4 * width
    projections = tokens * width * (3 * width + width)
    attention = 2 * tokens * tokens * width
    mlp = 2 * tokens * width * 2 * width
    assert counted.multiply_adds == embedding + 2 * (projections + attention + mlp) + width * 10


def test_counting_draws_no_random_number():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)

    cost("small_resnet6", (1, 12, 12), 10)
    latency_ms("small_resnet6", (1, 12, 12), 10, device=CPU, threads=1)

    assert torch.equal(torch.rand(3), expected)


def test_latency_is_measured_once():
    first = latency_ms("small_resnet6", (1, 8, 8), 10, device=CPU, threads=1)

    assert latency_ms("small_resnet6", (1, 8, 8), 10, device=CPU, threads=1) == first
    assert 0.01 < first < 1000


class Slow(nn.Module):
    def forward(self, x):
        matrix = torch.ones(400, 400)
        for _ in range(4):
            matrix = matrix @ matrix / 400
        return x.flatten(1) * matrix[0, 0]


def test_more_work_takes_longer_and_the_mode_comes_back():
    slow = Network(Slow(), [0.0], [1.0]).train()
    quick = Network(nn.Flatten(), [0.0], [1.0])

    slow_ms, quick_ms = (measured_latency_ms(network, (1, 4, 4)) for network in (slow, quick))

    assert slow_ms > 2 * quick_ms
    assert slow.training


@pytest.mark.parametrize("latency", [True, False])
def test_a_trial_reports_what_its_student_costs(trial, latency):
    from trainables.distillation import Distillation

    config = trial(teacher=None, validation={"latency": latency, "attack": {"steps": 1}})

    metrics = Distillation.build(config).validate()

    assert metrics["student/parameters"] == 5090
    assert metrics["student/multiply_adds"] == cost("small_resnet6", (1, 8, 8), 10).multiply_adds
    assert ("student/latency_ms" in metrics) == latency
