import copy

import pytest
import torch
from torch import nn

from trainables.data import Split
from trainables.measuring.named_attacks import NAMED_ATTACKS, NamedAttack
from trainables.measuring.robustness import Accuracy, clean_flags, robust_flags, worst_case
from trainables.threat import PIXEL, ThreatModel

THREAT = ThreatModel(epsilon=0.1)
RELATIVE = NAMED_ATTACKS["pgd20_relative"]
MARGIN = NAMED_ATTACKS["margin_pgd20_relative"]


class Normalised(nn.Module):
    """The network on images that are stretched to ``factor`` times [0, 1] outside of it."""

    def __init__(self, network, factor):
        super().__init__()
        self.network, self.factor = network, factor

    def forward(self, images):
        return self.network(self.factor * images / self.factor)


class Breaks(nn.Module):
    """NaN logits for every image that differs from ``clean``."""

    def __init__(self, clean):
        super().__init__()
        self.clean = clean

    def forward(self, images):
        moved = torch.stack([(self.clean != image).flatten(1).any(1).all() for image in images])
        logits = torch.tensor([1.0, 0.0]) + 0 * images.flatten(1)[:, :1]
        return torch.where(moved[:, None], torch.nan, logits)


@pytest.fixture(scope="module")
def split(digits):
    return Split(digits.validation.images[:100], digits.validation.labels[:100])


@pytest.fixture(scope="module")
def left(trained, split):
    """``left(attack, epsilon, norm)``: how many of the hundred images hold."""

    def count(attack, epsilon=0.1, norm="linf", seed=0):
        threat = ThreatModel(norm=norm, epsilon=epsilon)
        return int(robust_flags(trained, split, threat, attack, seed=seed).sum())

    return count


def test_flags_by_hand(linear_network):
    network = linear_network(torch.eye(4))
    images = torch.eye(4).view(4, 1, 2, 2) * torch.tensor([1.0, 0.5, 0.1, 1.0]).view(4, 1, 1, 1)
    split = Split(images, torch.tensor([0, 1, 2, 0]))

    flags = robust_flags(network, split, ThreatModel(epsilon=0.2), RELATIVE, seed=0)

    assert clean_flags(network, split).tolist() == [True, True, True, False]
    assert flags.tolist() == [True, True, False, False]


def test_worst_case_is_by_image_and_not_the_mean_nor_the_lowest():
    flags = [torch.tensor([True, True, False, True]), torch.tensor([True, False, True, True])]

    assert worst_case(flags).tolist() == [True, False, False, True]


def test_an_accuracy_keeps_its_counts_and_its_interval():
    accuracy = Accuracy.of(torch.tensor([True] * 9 + [False]))

    assert (accuracy.correct, accuracy.total, accuracy.share) == (9, 10, 0.9)
    assert accuracy.interval == pytest.approx((0.5958, 0.9821), abs=1e-4)


def test_an_attack_cannot_win_an_image_for_the_network(linear_network):
    network = linear_network(torch.eye(4)[:2])
    images = torch.tensor([0.5, 0.52, 0.0, 0.0]).view(1, 1, 2, 2).repeat(20, 1, 1, 1)
    split = Split(images, torch.zeros(20, dtype=torch.int64))  # wrong, and easily turned right

    flags = robust_flags(network, split, THREAT, NAMED_ATTACKS["kl_pgd20_relative"], seed=0)

    assert not flags.any()


def test_nothing_robust_is_wrong_clean(trained, split):
    flags = robust_flags(trained, split, THREAT, RELATIVE, seed=0)

    assert not (flags & ~clean_flags(trained, split)).any()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(NAMED_ATTACKS))
def test_every_attack_takes_accuracy(left, trained, split, name):
    assert left(NAMED_ATTACKS[name], 0.2) < int(clean_flags(trained, split).sum())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fgsm", *(n for n in NAMED_ATTACKS if n.endswith("relative"))])
def test_relative_attacks_take_accuracy_in_l2_too(left, trained, split, name):
    assert left(NAMED_ATTACKS[name], 1.0, "l2") < int(clean_flags(trained, split).sum()) - 5


def test_accuracy_falls_with_epsilon_and_nothing_stands_at_one(left):
    counts = [left(MARGIN, epsilon) for epsilon in (PIXEL, 8 * PIXEL, 0.1, 0.2, 0.4, 1.0)]

    assert counts == sorted(counts, reverse=True)
    assert counts[0] > 80
    assert counts[-1] == 0


def test_margin_pgd_is_stronger_than_fgsm_and_more_steps_than_fewer(left):
    fgsm, five, twenty, hundred = (
        left(attack)
        for attack in (
            NAMED_ATTACKS["fgsm"],
            MARGIN.model_copy(update={"steps": 5}),
            MARGIN,
            NAMED_ATTACKS["margin_pgd100_relative"],
        )
    )

    assert hundred <= twenty < five
    assert twenty < fgsm


def test_restarts_only_ever_break_more(trained, split):
    threat = ThreatModel(epsilon=0.15)
    weak = NamedAttack(steps=2, step=0.5, step_unit="epsilon")
    once, thrice = (
        robust_flags(trained, split, threat, weak.model_copy(update={"restarts": n}), seed=0)
        for n in (1, 3)
    )

    assert not (thrice & ~once).any()
    assert thrice.sum() < once.sum()


def test_the_scale_of_the_logits_does_not_change_margin_pgd(trained, split):
    scaled = copy.deepcopy(trained)
    scaled.model.fc.weight.data *= 1024
    scaled.model.fc.bias.data *= 1024

    flags = [robust_flags(net, split, THREAT, MARGIN, seed=0) for net in (trained, scaled)]

    assert torch.equal(*flags)


def test_normalisation_inside_leaves_the_ball_in_image_space(trained, split):
    inside = Normalised(trained, 255.0)

    flags = [robust_flags(net, split, THREAT, MARGIN, seed=0) for net in (trained, inside)]

    assert (flags[0] != flags[1]).sum() <= 1  # x * 255 / 255 rounds


def test_the_batch_size_does_not_matter(trained, split):
    flags = [
        robust_flags(trained, split, THREAT, MARGIN, seed=0, batch_size=size) for size in (7, 100)
    ]

    assert (flags[0] != flags[1]).sum() <= 1  # a sum that is rounded otherwise


def test_the_same_seed_gives_the_same_flags(trained, split):
    weak = NamedAttack(steps=1, step=0.5, step_unit="epsilon")
    first, again, other = (
        robust_flags(trained, split, ThreatModel(epsilon=0.2), weak, seed=s) for s in (0, 0, 1)
    )

    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_logits_that_turn_nan_under_attack_are_wrong():
    images = torch.full((2, 1, 2, 2), 0.5)
    split = Split(images, torch.zeros(2, dtype=torch.int64))

    flags = robust_flags(Breaks(images), split, THREAT, RELATIVE, seed=0)

    assert clean_flags(Breaks(images), split).all()
    assert not flags.any()


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("attack", ["fgsm", "pgd20_relative", "margin_pgd20_relative"])
def test_one_image_of_one_channel_and_few_classes(linear_network, classes, attack):
    network = linear_network(torch.eye(4)[:classes])
    split = Split(torch.tensor([[[[0.6, 0.5], [0.5, 0.5]]]]), torch.tensor([0]))

    near, far = (
        robust_flags(network, split, ThreatModel(epsilon=e), NAMED_ATTACKS[attack], seed=0)
        for e in (0.04, 0.06)
    )

    assert (near.tolist(), far.tolist()) == ([True], [False])


def test_the_network_is_left_as_it_was(trained, split):
    student = copy.deepcopy(trained).train()
    before = copy.deepcopy(student.state_dict())

    robust_flags(student, split, THREAT, NAMED_ATTACKS["kl_pgd20_relative"], seed=0)

    assert all(torch.equal(before[key], value) for key, value in student.state_dict().items())
    assert all(module.training for module in student.modules())
    assert all(p.requires_grad and p.grad is None for p in student.parameters())
