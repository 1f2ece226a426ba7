import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from trainables.attacks import pgd
from trainables.measuring.named_attacks import NAMED_ATTACKS, NamedAttack, ball, kl_objective
from trainables.threat import PIXEL, ThreatModel

THREAT = ThreatModel(epsilon=8 * PIXEL)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("fgsm", "FGSM (CE, Linf 8/255)"),
        ("pgd20", "PGD-20 (CE, 20 x 2/255, uniform start, Linf 8/255)"),
        ("pgd20_trades", "PGD-20 (CE, 20 x 0.003, uniform start, Linf 8/255)"),
        ("pgd20_relative", "PGD-20 (CE, 20 x 0.1 epsilon, uniform start, Linf 8/255)"),
        ("cw_inf", "PGD-30 (margin, 30 x 2/255, uniform start, Linf 8/255)"),
        ("kl_pgd20", "PGD-20 (KL, 20 x 2/255, uniform start, Linf 8/255)"),
    ],
)
def test_a_label_says_everything(name, label):
    assert NAMED_ATTACKS[name].label(THREAT) == label


def test_different_attacks_have_different_labels_and_keys():
    labels = {attack.label(THREAT) for attack in NAMED_ATTACKS.values()}
    keys = {attack.key for attack in NAMED_ATTACKS.values()}

    assert len(labels) == len(keys) == len(NAMED_ATTACKS)
    assert all(key.replace("_", "").isalnum() for key in keys)


@pytest.mark.parametrize(
    ("name", "step"),
    [("pgd20", 2 / 255), ("pgd20_trades", 0.003), ("pgd20_relative", 0.02), ("fgsm", 0.2)],
)
def test_a_step_is_absolute_or_a_part_of_epsilon(name, step):
    assert NAMED_ATTACKS[name].step_size(ThreatModel(epsilon=0.2)) == pytest.approx(step)


@pytest.mark.parametrize(
    ("name", "epsilon", "crosses"),
    [("pgd20", 8 * PIXEL, True), ("pgd20", 0.2, False), ("pgd20_relative", 1.0, True)],
)
def test_an_attack_knows_whether_its_steps_cross_the_ball(name, epsilon, crosses):
    assert NAMED_ATTACKS[name].crosses(ThreatModel(epsilon=epsilon)) == crosses


@pytest.mark.parametrize(("norm", "words"), [("linf", "Linf 0.2"), ("l2", "L2 0.2")])
def test_a_ball_in_words(norm, words):
    assert ball(ThreatModel(norm=norm, epsilon=0.2)) == words


def test_kl_without_a_random_start_is_refused():
    with pytest.raises(ValueError, match="cannot leave start 'none'"):
        NamedAttack(loss="kl", start="none")


def test_restarts_without_a_random_start_are_refused():
    with pytest.raises(ValueError, match="restarts must be 1 with start 'none'"):
        NamedAttack(start="none", restarts=2)


def test_kl_is_the_divergence_from_the_clean_prediction(linear_network):
    network = linear_network(torch.randn(3, 4))
    images, moved = torch.rand(5, 1, 2, 2), torch.rand(5, 1, 2, 2)
    clean, other = (F.softmax(network(part), dim=1) for part in (images, moved))

    divergence = kl_objective(network, images)(moved)

    torch.testing.assert_close(divergence, (clean * (clean / other).log()).sum(1))


def test_kl_has_no_gradient_at_the_image_itself(linear_network):
    network, images = linear_network(torch.randn(3, 4)), torch.rand(5, 1, 2, 2)

    moved = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(kl_objective(network, images)(moved).sum(), moved)

    assert gradient.abs().max() < 1e-6


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("loss", ["cross_entropy", "margin"])
def test_fgsm_reaches_the_worst_image_of_two_linear_classes(linear_network, norm, loss):
    weight = torch.randn(2, 4)
    network, threat = linear_network(weight), ThreatModel(norm=norm, epsilon=0.1)
    images, labels = torch.full((3, 1, 2, 2), 0.5), torch.zeros(3, dtype=torch.int64)
    fgsm = NamedAttack(loss=loss, steps=1, step=1, step_unit="epsilon", start="none")

    moved = pgd(
        fgsm.objective(network, images, labels),
        images,
        threat,
        step_size=fgsm.step_size(threat),
        steps=fgsm.steps,
    )

    away = (weight[1] - weight[0]).view(1, 2, 2)
    direction = away.sign() if norm == "linf" else away / away.norm()
    torch.testing.assert_close(moved, images + 0.1 * direction)


@settings(max_examples=25, deadline=None)
@given(
    attack=st.sampled_from(sorted(NAMED_ATTACKS)),
    norm=st.sampled_from(["linf", "l2"]),
    epsilon=st.floats(1e-3, 1),
)
def test_every_step_is_finite_and_above_zero(attack, norm, epsilon):
    step = NAMED_ATTACKS[attack].step_size(ThreatModel(norm=norm, epsilon=epsilon))

    assert math.isfinite(step)
    assert step > 0
