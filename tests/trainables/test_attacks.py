import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from trainables.attacks import (
    AttackConfig,
    attack,
    cross_entropy_objective,
    margin,
    margin_objective,
    pgd,
    starting_point,
)
from trainables.threat import PIXEL, ThreatModel, per_sample_norm

NORMS = ["linf", "l2"]
STARTS = ["uniform", "gaussian", "none"]


def attacked(network, digits, objective, **config):
    images, labels = digits.validation.images[:60], digits.validation.labels[:60]
    return attack(
        objective(network, labels),
        images,
        ThreatModel(epsilon=0.15),
        AttackConfig(start="none", **config),
        generator=torch.Generator(),
    )


class Scaled(nn.Module):
    def __init__(self, network, factor):
        super().__init__()
        self.network, self.factor = network, factor

    def forward(self, images):
        return self.factor * self.network(images)


@settings(max_examples=80, deadline=None)
@given(
    norm=st.sampled_from(NORMS),
    start=st.sampled_from(STARTS),
    epsilon=st.floats(1e-3, 1),
    step_size=st.floats(0.01, 4),
    steps=st.integers(1, 4),
    count=st.integers(1, 3),
    channels=st.integers(1, 3),
    seed=st.integers(0, 10_000),
)
def test_stays_in_the_ball_and_in_the_unit_cube(
    norm, start, epsilon, step_size, steps, count, channels, seed
):
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(count, channels, 3, 3, generator=generator)
    weight = torch.randn(images.shape[1:], generator=generator)
    threat = ThreatModel(norm=norm, epsilon=epsilon)
    config = AttackConfig(start=start, step_size=step_size, steps=steps)

    adversarial = attack(
        lambda x: (weight * x.square()).sum((1, 2, 3)), images, threat, config, generator=generator
    )

    delta = adversarial - images
    radius = per_sample_norm(delta) if norm == "l2" else delta.abs()
    assert radius.max() <= epsilon + 1e-6
    assert adversarial.min() >= 0
    assert adversarial.max() <= 1
    assert not adversarial.requires_grad


@pytest.mark.parametrize("start", STARTS)
def test_reaches_the_closed_form_maximum_of_a_linear_objective_in_linf(start):
    images, weight = torch.rand(5, 3, 2, 2), torch.randn(3, 2, 2)
    threat, config = ThreatModel(epsilon=8 * PIXEL), AttackConfig(start=start, steps=10)

    adversarial = attack(
        lambda x: (weight * x).sum((1, 2, 3)), images, threat, config, generator=torch.Generator()
    )

    torch.testing.assert_close(adversarial, (images + 8 * PIXEL * weight.sign()).clamp(0, 1))


def test_reaches_the_closed_form_maximum_of_a_linear_objective_in_l2():
    images, weight = torch.full((2, 1, 3, 3), 0.5), torch.randn(1, 3, 3)
    threat, config = ThreatModel(norm="l2", epsilon=0.2), AttackConfig(start="none", steps=5)

    adversarial = attack(
        lambda x: (weight * x).sum((1, 2, 3)), images, threat, config, generator=torch.Generator()
    )

    torch.testing.assert_close(adversarial, images + 0.2 * weight / weight.norm())


def test_without_steps_the_start_is_the_result():
    images, start = torch.rand(2, 1, 2, 2), torch.rand(2, 1, 2, 2)

    adversarial = pgd(torch.sum, images, ThreatModel(), step_size=1.0, steps=0, start=start)

    assert torch.equal(adversarial, start)


def test_a_step_is_a_fraction_of_epsilon():
    images = torch.full((1, 1, 1, 1), 0.5)
    config = AttackConfig(start="none", steps=1, step_size=0.25)

    adversarial = attack(
        torch.sum, images, ThreatModel(epsilon=0.2), config, generator=torch.Generator()
    )

    torch.testing.assert_close(adversarial, images + 0.05)


def test_gaussian_start_is_a_thousandth_wide():
    images = torch.full((5_000, 1, 2, 2), 0.5)

    start = starting_point("gaussian", images, ThreatModel(), torch.Generator())

    torch.testing.assert_close((start - images).std(), torch.tensor(0.001), rtol=0.03, atol=0)


def test_same_generator_same_result():
    images = torch.rand(3, 1, 4, 4)
    first, second, third = (torch.Generator().manual_seed(seed) for seed in (1, 1, 2))

    starts = [starting_point("uniform", images, ThreatModel(), g) for g in (first, second, third)]

    assert torch.equal(starts[0], starts[1])
    assert not torch.equal(starts[0], starts[2])


def test_images_and_parameters_are_left_alone(network):
    student, images = network().eval(), torch.rand(2, 1, 8, 8)
    before = images.clone()

    pgd(
        cross_entropy_objective(student, torch.tensor([1, 2])),
        images,
        ThreatModel(),
        step_size=0.1,
        steps=2,
    )

    assert torch.equal(images, before)
    assert not images.requires_grad
    assert all(parameter.grad is None for parameter in student.parameters())


@pytest.mark.parametrize(
    ("logits", "labels", "expected"),
    [
        ([[3.0, 1.0, 2.0]], [0], [-1.0]),
        ([[3.0, 1.0, 2.0]], [1], [2.0]),
        ([[0.5, -0.5], [0.5, -0.5]], [0, 1], [-1.0, 1.0]),
    ],
)
def test_margin_is_the_best_wrong_logit_minus_the_true_one(logits, labels, expected):
    values = margin(torch.tensor(logits), torch.tensor(labels))

    assert torch.equal(values, torch.tensor(expected))


def test_margin_attack_does_not_see_the_scale_of_the_logits(trained, digits):
    plain = attacked(trained, digits, margin_objective)

    scaled = attacked(Scaled(trained, 1024.0), digits, margin_objective)

    assert torch.equal(plain, scaled)


def test_cross_entropy_attack_is_blinded_by_large_logits(trained, digits):
    images = digits.validation.images[:60]

    scaled = attacked(Scaled(trained, 65536.0), digits, cross_entropy_objective)

    unmoved = (scaled == images).flatten(1).all(dim=1).float().mean()
    assert unmoved > 0.5


def test_more_steps_find_more(trained, digits):
    labels = digits.validation.labels[:60]

    one, ten = (
        attacked(trained, digits, cross_entropy_objective, steps=steps) for steps in (1, 10)
    )

    objective = cross_entropy_objective(trained, labels)
    assert objective(ten).mean() > objective(one).mean()
