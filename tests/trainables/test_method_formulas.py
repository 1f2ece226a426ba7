"""Each method's loss on fixed random logits against the formula, computed without PyTorch."""

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from trainables.attacks import pgd
from trainables.methods import METHODS, Batch, View, kl_to_teacher
from trainables.threat import ThreatModel

LABELS = np.array([0, 1, 2, 0, 1])


def cross_entropy(logits, smoothing=0.0):
    target = (1 - smoothing) * np.eye(3)[LABELS] + smoothing / 3
    return -(target * log_softmax(logits, axis=1)).sum(axis=1).mean()


def kl_rows(target, student, temperature=1.0):
    """KL(target || student) per image."""
    log_target = log_softmax(target / temperature, axis=1)
    log_student = log_softmax(student / temperature, axis=1)
    return (np.exp(log_target) * (log_target - log_student)).sum(axis=1)


def kl(target, student, temperature=1.0):
    return kl_rows(target, student, temperature).mean()


class Logits:
    """Logits of three linear networks on clean and adversarial images, and the same as arrays."""

    def __init__(self, linear_network, **settings):
        generator = torch.Generator().manual_seed(5)
        self.networks = [linear_network(torch.randn(3, 4, generator=generator)) for _ in range(3)]
        images = [torch.rand(5, 1, 2, 2, generator=generator) for _ in range(2)]
        student, teacher, clean_teacher = self.networks
        views = [View(x, student, teacher, clean_teacher=clean_teacher) for x in images]
        self.batch = Batch(torch.from_numpy(LABELS), *views, **settings)
        arrays = [
            [
                x.flatten(1).double().numpy() @ n.model.weight.detach().double().numpy().T
                for x in images
            ]
            for n in self.networks
        ]
        (self.s, self.s_adv), (self.t, self.t_adv), (self.c, self.c_adv) = arrays


@pytest.fixture
def logits(linear_network):
    return lambda **settings: Logits(linear_network, **settings)


def trust(z, exponent):
    return np.exp(log_softmax(z.t_adv, axis=1))[np.arange(5), LABELS] ** exponent


FORMULAS = [
    ("standard", {}, lambda z: cross_entropy(z.s)),
    ("standard", {"label_smoothing": 0.3}, lambda z: cross_entropy(z.s, 0.3)),
    ("adversarial_training", {}, lambda z: cross_entropy(z.s_adv)),
    ("adversarial_training", {"label_smoothing": 0.1}, lambda z: cross_entropy(z.s_adv, 0.1)),
    ("trades", {}, lambda z: cross_entropy(z.s) + 6 * kl(z.s, z.s_adv)),
    ("trades", {"smoothness_weight": 2.0}, lambda z: cross_entropy(z.s) + 2 * kl(z.s, z.s_adv)),
    ("kd", {}, lambda z: 0.5 * cross_entropy(z.s) + 0.5 * kl(z.t, z.s)),
    (
        "kd",
        {"soft_weight": 0.3, "temperature": 4.0, "reduction": "mean"},
        lambda z: 0.7 * cross_entropy(z.s) + 0.3 * 16 * kl(z.t, z.s, 4) / 3,
    ),
    ("ard", {}, lambda z: 900 * kl(z.t, z.s_adv, 30) / 3),
    (
        "ard",
        {"soft_weight": 0.9, "temperature": 2.0, "teacher_sees": "adversarial"},
        lambda z: 0.9 * 4 * kl(z.t_adv, z.s_adv, 2) / 3 + 0.1 * cross_entropy(z.s),
    ),
    ("rslad", {}, lambda z: (5 / 6 * kl(z.t, z.s_adv) + 1 / 6 * kl(z.t, z.s)) / 3),
    (
        "rslad",
        {"scale": 10.0, "reduction": "batchmean", "adversarial_weight": 0.25},
        lambda z: 10 * (0.25 * kl(z.t, z.s_adv) + 0.75 * kl(z.t, z.s)),
    ),
    ("adaad", {}, lambda z: kl(z.t_adv, z.s_adv) / 3),
    (
        "adaad",
        {"adversarial_weight": 0.6, "reduction": "batchmean"},
        lambda z: 0.6 * kl(z.t_adv, z.s_adv) + 0.4 * kl(z.t, z.s),
    ),
    ("mtard", {}, lambda z: (0.5 * kl(z.t_adv, z.s_adv) + 0.5 * kl(z.c, z.s)) / 3),
    ("kdiga", {}, lambda z: 0.5 * cross_entropy(z.s) + 0.5 * kl(z.t, z.s) / 3),
    ("kdiga_ard", {}, lambda z: 0.5 * cross_entropy(z.s) + 0.5 * kl(z.t_adv, z.s_adv) / 3),
    ("variance_gap", {}, lambda z: cross_entropy(z.s_adv)),
    ("ada_variance_gap", {}, lambda z: cross_entropy(z.s_adv)),
]


@pytest.mark.parametrize(("name", "settings", "formula"), FORMULAS)
def test_the_loss_is_its_formula(name, settings, formula, logits):
    z = logits()

    loss = METHODS[name].model_validate(settings).outer(z.batch)

    assert loss.item() == pytest.approx(formula(z), rel=1e-4)


def iad1(z, *, tau=1.0, exponent=0.1, begun=True, soft=1.0):
    own = ((1 - trust(z, exponent)) * kl_rows(z.s, z.s_adv)).mean() if begun else 0.0
    return soft * (tau**2 * kl(z.t, z.s_adv, tau) + own) + (1 - soft) * cross_entropy(z.s)


def iad2(z, *, begun=True):
    w = trust(z, 0.1) if begun else np.ones(5)
    own = (1 - w) * kl_rows(z.s, z.s_adv)
    robust = (w * kl_rows(z.t_adv, z.s_adv) + own).mean()
    return 0.25 * cross_entropy(z.s_adv) + 0.5 * robust + 0.25 * kl(z.c_adv, z.s_adv)


@pytest.mark.parametrize(
    ("name", "settings", "progress", "formula"),
    [
        ("iad1", {}, 0.3, lambda z: iad1(z, begun=False)),
        ("iad1", {}, 0.31, lambda z: iad1(z)),
        (
            "iad1",
            {"soft_weight": 0.5, "temperature": 2.0, "trust_exponent": 1.0},
            1.0,
            lambda z: iad1(z, tau=2.0, exponent=1.0, soft=0.5),
        ),
        ("adaiad", {}, 1.0, lambda z: iad1(z, tau=30.0)),
        ("iad2", {}, 0.2, lambda z: iad2(z, begun=False)),
        ("iad2", {}, 0.21, lambda z: iad2(z)),
    ],
)
def test_introspection_begins_after_its_share_of_the_epochs(
    name, settings, progress, formula, logits
):
    z = logits(progress=progress)

    loss = METHODS[name].model_validate(settings).outer(z.batch)

    assert loss.item() == pytest.approx(formula(z), rel=1e-4)


def test_introspection_can_weigh_the_teacher_by_its_trust(logits):
    z = logits()

    loss = METHODS["iad1"](trust_teacher_term=True).outer(z.batch)

    w = trust(z, 0.1)
    by_hand = (w * kl_rows(z.t, z.s_adv) + (1 - w) * kl_rows(z.s, z.s_adv)).mean()
    assert loss.item() == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.parametrize("name", ["trades", "iad1"])
@pytest.mark.parametrize("detached", [True, False])
def test_the_clean_prediction_is_a_constant_only_where_it_is_said(name, detached, logits):
    z = logits()
    z.batch.clean.student.logits.retain_grad()

    METHODS[name](detach_clean=detached).outer(z.batch).backward()

    gradient = z.batch.clean.student.logits.grad
    cross_entropy_alone = np.exp(log_softmax(z.s, axis=1)) - np.eye(3)[LABELS]
    expected = torch.from_numpy(cross_entropy_alone / 5).float() if name == "trades" else None
    if detached and expected is None:
        assert gradient is None
    else:
        same = expected is not None and torch.allclose(gradient, expected, atol=1e-6)
        assert same == detached


def mtard_by_hand(losses, rate):
    """The clean weight before every step, by the paper's recursion."""
    first_adversarial, first_clean = losses[0]
    weight, weights = 0.5, []
    for adversarial, clean in losses:
        weights.append(weight)
        fallen = clean / first_clean, adversarial / first_adversarial
        weight -= rate * (weight - fallen[0] / sum(fallen))
    return weights


def test_mtard_gives_more_weight_to_what_has_fallen_less(linear_network):
    method = METHODS["mtard"](reduction="batchmean", balance_rate=0.2)
    state, losses, totals = method.initial_state(), [], []
    for seed in range(4):
        torch.manual_seed(seed)
        networks = [linear_network((seed + 1) * torch.randn(3, 4)) for _ in range(3)]
        views = [
            View(torch.rand(5, 1, 2, 2), *networks[:2], clean_teacher=networks[2]) for _ in range(2)
        ]
        material = Batch(torch.from_numpy(LABELS), *views, progress=0.5, state=state)
        clean, adversarial = views
        losses.append(
            (
                kl_to_teacher(adversarial.student.logits, adversarial.teacher.logits).item(),
                kl_to_teacher(clean.student.logits, clean.clean_teacher.logits).item(),
            )
        )

        totals.append(method.outer(material).item())

    weights = mtard_by_hand(losses, 0.2)
    expected = [(1 - w) * a + w * c for w, (a, c) in zip(weights, losses, strict=True)]
    assert totals == pytest.approx(expected, rel=1e-5)
    assert len(set(np.round(weights, 4))) > 2


@pytest.mark.parametrize(("progress", "drops"), [(0.5, 0), (0.8, 1), (0.9, 2), (1.0, 3)])
def test_mtard_balances_more_slowly_when_the_learning_rate_drops(progress, drops, logits):
    method = METHODS["mtard"](balance_rate=0.5)
    before = {"clean_weight": 0.9, "first_adversarial": 1.0, "first_clean": 1e9}
    state = {key: torch.tensor(value) for key, value in before.items()}

    method.outer(logits(progress=progress, state=state).batch)

    # the clean loss has fallen to nothing, so its weight goes to 0 at the rate
    assert state["clean_weight"].item() == pytest.approx(0.9 * (1 - 0.5 * 0.1**drops), rel=1e-4)


# what the attack maximises, in closed form on linear networks


@pytest.fixture
def attacked():
    """``attacked(name, student, teacher)``: the sign of the first step of the method's attack."""

    def step(name, student, teacher, start):
        view, labels = View(start[0], student, teacher), torch.from_numpy(LABELS)
        objective = METHODS[name]().inner(student, teacher, view, labels)
        moved = pgd(
            objective, start[1], ThreatModel(epsilon=0.01), step_size=0.01, steps=1, start=start[1]
        )
        return (moved - start[1]).flatten(1).sign()

    return step


@pytest.fixture
def attack_material(linear_network):
    generator = torch.Generator().manual_seed(3)
    student, teacher = (linear_network(torch.randn(3, 4, generator=generator)) for _ in range(2))
    clean = 0.2 + 0.6 * torch.rand(5, 1, 2, 2, generator=generator)
    start = clean + 0.05 * torch.randn(clean.shape, generator=generator)
    return student, teacher, (clean, start)


def softmax_rows(network, images):
    weight = network.model.weight.detach().double().numpy()
    logits = images.flatten(1).double().numpy() @ weight.T
    return np.exp(log_softmax(logits, axis=1)), logits, weight


@pytest.mark.parametrize(
    "name",
    ["adversarial_training", "ard", "iad1", "iad2", "mtard", "kdiga_ard", "variance_gap"],
)
def test_these_attacks_ascend_the_cross_entropy(name, attacked, attack_material):
    student, teacher, (clean, start) = attack_material
    p, _, weight = softmax_rows(student, start)

    direction = attacked(name, student, teacher, (clean, start))

    by_hand = (p - np.eye(3)[LABELS]) @ weight
    assert np.array_equal(direction.numpy(), np.sign(by_hand))


@pytest.mark.parametrize(("name", "who"), [("trades", "student"), ("rslad", "teacher")])
def test_these_attacks_leave_a_fixed_clean_prediction(name, who, attacked, attack_material):
    student, teacher, (clean, start) = attack_material
    target, _, _ = softmax_rows(student if who == "student" else teacher, clean)
    p, _, weight = softmax_rows(student, start)

    direction = attacked(name, student, teacher, (clean, start))

    assert np.array_equal(direction.numpy(), np.sign((p - target) @ weight))


@pytest.mark.parametrize("name", ["adaad", "adaiad", "ada_variance_gap"])
def test_these_attacks_go_through_both_networks(name, attacked, attack_material):
    student, teacher, (clean, start) = attack_material
    p, student_logits, student_weight = softmax_rows(student, start)
    t, teacher_logits, teacher_weight = softmax_rows(teacher, start)

    direction = attacked(name, student, teacher, (clean, start))

    surprise = log_softmax(teacher_logits, axis=1) - log_softmax(student_logits, axis=1)
    mean = (t * surprise).sum(axis=1, keepdims=True)
    by_hand = (p - t) @ student_weight + (t * (surprise - mean)) @ teacher_weight
    assert np.array_equal(direction.numpy(), np.sign(by_hand))


# the divergence itself


def test_the_divergence_is_from_the_target_and_softened_and_scaled(logits):
    z = logits()

    one, softened, elementwise = (
        kl_to_teacher(z.batch.clean.student.logits, z.batch.clean.teacher.logits, *options).item()
        for options in ((), (5.0,), (1.0, "mean"))
    )

    assert one == pytest.approx(kl(z.t, z.s), rel=1e-5)
    assert one != pytest.approx(kl(z.s, z.t), rel=0.05)
    assert softened == pytest.approx(25 * kl(z.t, z.s, 5.0), rel=1e-4)
    assert elementwise == pytest.approx(one / 3, rel=1e-5)


def test_the_divergence_from_an_equal_target_is_zero():
    logits = torch.randn(4, 3)

    torch.testing.assert_close(kl_to_teacher(logits, logits), torch.tensor(0.0))


def test_soft_labels_of_no_weight_ask_no_teacher(linear_network):
    view = View(torch.rand(5, 1, 2, 2), linear_network(torch.randn(3, 4)), None)
    material = Batch(torch.from_numpy(LABELS), view, view)

    for name in ("kd", "ard", "kdiga", "kdiga_ard"):
        method = METHODS[name](soft_weight=0.0)

        assert not method.needs_teacher
        assert method.outer(material).isfinite()
