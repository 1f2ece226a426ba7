import pytest
import torch
from torch import nn

from trainables.attacks import AttackConfig, cross_entropy_objective, margin_objective
from trainables.data import Split
from trainables.evaluation import (
    accuracy_under,
    adversarial_images,
    clean_accuracy,
    correct,
    robust_accuracy,
)
from trainables.threat import PIXEL, ThreatModel

TEN_STEPS = AttackConfig(steps=10)
THREAT = ThreatModel(epsilon=0.1)


class Constant(nn.Module):
    """The same logits for every image."""

    def __init__(self, *logits):
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))

    def forward(self, images):
        return self.logits + 0 * images.flatten(1)[:, :1]


@pytest.fixture
def split(digits):
    return Split(digits.validation.images[:100], digits.validation.labels[:100])


def test_accuracy_by_hand(linear_network):
    network = linear_network(torch.eye(4))
    images = torch.eye(4).view(4, 1, 2, 2)

    accuracy = clean_accuracy(network, Split(images, torch.tensor([0, 1, 2, 0])))

    assert accuracy == 0.75


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_logits_that_are_not_finite_are_wrong(bad):
    images, labels = torch.rand(3, 1, 2, 2), torch.zeros(3, dtype=torch.int64)
    everywhere, elsewhere = Constant(bad, bad), Constant(1.0, bad)

    assert not correct(everywhere, images, labels).any()
    assert not correct(elsewhere, images, labels).any()
    assert clean_accuracy(everywhere, Split(images, labels)) == 0


def test_a_network_of_nans_is_not_robust(split):
    network = Constant(*[float("nan")] * 10)

    accuracy = robust_accuracy(network, split, margin_objective, THREAT, TEN_STEPS, seed=0)

    assert accuracy == 0


def test_an_image_must_be_right_before_and_after_the_attack(linear_network):
    network = linear_network(torch.eye(4))
    images = torch.eye(4).view(4, 1, 2, 2)
    split = Split(images, torch.tensor([0, 1, 0, 0]))
    attacked = images[[0, 0, 0, 3]]  # held, lost, "won", wrong all along

    assert accuracy_under(network, split, attacked) == 0.25


@pytest.mark.slow
@pytest.mark.parametrize("start", ["uniform", "gaussian", "none"])
def test_results_do_not_depend_on_the_batch_size(start, trained, split):
    config = AttackConfig(steps=5, start=start)
    attacked = [
        adversarial_images(
            trained, split, margin_objective, THREAT, config, seed=0, batch_size=batch_size
        )
        for batch_size in (7, 100)
    ]

    robust = [accuracy_under(trained, split, images, 13) for images in attacked]
    clean = [clean_accuracy(trained, split, batch_size) for batch_size in (1, 7, 100)]

    # a sum rounded otherwise may turn the sign of a gradient of zero, so not to the bit
    same = (attacked[0] - attacked[1]).abs().flatten(1).amax(dim=1) < 1e-5
    assert same.float().mean() > 0.95
    assert robust[0] == pytest.approx(robust[1], abs=0.011)
    assert clean[0] == clean[1] == clean[2]


def test_the_same_seed_gives_the_same_images(trained, split):
    first, again, other = (
        adversarial_images(trained, split, margin_objective, THREAT, TEN_STEPS, seed=seed)
        for seed in (0, 0, 1)
    )

    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.slow
def test_robust_accuracy_falls_with_epsilon_and_ends_at_nothing(trained, digits):
    config = AttackConfig(steps=20)

    accuracies = [
        robust_accuracy(
            trained,
            digits.validation,
            margin_objective,
            ThreatModel(epsilon=epsilon),
            config,
            seed=0,
        )
        for epsilon in (PIXEL, 8 * PIXEL, 16 * PIXEL, 32 * PIXEL, 64 * PIXEL, 1.0)
    ]

    assert accuracies == sorted(accuracies, reverse=True)
    assert accuracies[0] > 0.7
    assert accuracies[2] < accuracies[0] - 0.02
    assert accuracies[-1] < 0.01


def test_an_attack_takes_accuracy(trained, split):
    robust = robust_accuracy(trained, split, cross_entropy_objective, THREAT, TEN_STEPS, seed=0)

    assert robust < clean_accuracy(trained, split) - 0.1


def test_the_network_is_left_as_it_was(mixed, split, condition):
    before = condition(mixed)

    robust_accuracy(mixed, split, margin_objective, THREAT, TEN_STEPS, seed=0)
    clean_accuracy(mixed, split)

    assert condition(mixed) == before


def test_the_network_is_left_as_it_was_after_an_exception(mixed, split, condition):
    before = condition(mixed)

    def failing(network, _labels):
        def objective(images):
            network(images)
            raise RuntimeError("out of memory")

        return objective

    with pytest.raises(RuntimeError, match="out of memory"):
        adversarial_images(mixed, split, failing, THREAT, TEN_STEPS, seed=0)

    assert condition(mixed) == before
