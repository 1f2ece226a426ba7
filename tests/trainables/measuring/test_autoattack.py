"""AutoAttack against a direct run of the library, on a small student of the digits 0 to 3.

Four classes, the fewest with a targeted DLR loss, leave three targets instead of nine. Square is
asked 60 times instead of 5000: what is tested is our handling, not its strength.
"""

import copy
import logging
import random
import sys
from itertools import pairwise

import pytest
import torch
from pyautoattack import AutoAttack as Library
from torch import nn

from trainables.data import Split
from trainables.measuring import autoattack as module
from trainables.measuring.autoattack import AutoAttack, autoattack, chunk_seed, identity
from trainables.measuring.autoattack_parts import PARTS
from trainables.measuring.named_attacks import NAMED_ATTACKS
from trainables.measuring.robustness import clean_flags, robust_flags
from trainables.threat import ThreatModel

pytestmark = pytest.mark.slow

QUICK = AutoAttack(square_queries=60)
THREAT = ThreatModel(epsilon=0.15)
SEED = 3


class Partly(nn.Module):
    """NaN logits for every image that is not one of those given."""

    def __init__(self, network, images):
        super().__init__()
        self.network, self.images = network, images

    def forward(self, images):
        known = (images[:, None] == self.images[None]).flatten(2).all(dim=2).any(dim=1)
        return torch.where(known[:, None], self.network(images), torch.nan)


class Stored(nn.Module):
    """Logits that are its own parameter: whoever writes into them changes the network."""

    def __init__(self):
        super().__init__()
        self.logits = nn.Parameter(torch.eye(4)[:1])

    def forward(self, images):
        return self.logits[: len(images)]


@pytest.fixture(scope="module")
def student(trained):
    """The trained student without its classes 4 to 9."""
    network = copy.deepcopy(trained)
    for parameter in (network.model.fc.weight, network.model.fc.bias):
        parameter.data = parameter.data[:4].clone()
    return network


@pytest.fixture(scope="module")
def split(digits):
    """Sixteen digits, of which some hold and some do not."""
    few = digits.validation.labels < 4
    return Split(digits.validation.images[few][:16], digits.validation.labels[few][:16])


@pytest.fixture(scope="module")
def result(student, split):
    return autoattack(student, split, THREAT, QUICK, seed=SEED)


def directly(network, images, labels, threat, seed):
    """The library's own cascade; with nine targets it fails on fewer than ten classes."""
    norm = {"linf": "Linf", "l2": "L2"}[threat.norm]
    library = Library(network, norm=norm, eps=threat.epsilon, seed=seed, version="standard")
    library.square.n_queries = QUICK.square_queries
    library.apgd_targeted.n_target_classes = library.fab.n_target_classes = 3
    _, predicted = library.run_standard_evaluation(images, labels, batch_size=len(labels))
    return predicted == labels


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.15), ("l2", 0.8)])
def test_flags_equal_a_direct_run_of_the_library(student, split, norm, epsilon):
    threat = ThreatModel(norm=norm, epsilon=epsilon)

    ours = autoattack(student, split, threat, QUICK, seed=SEED).robust

    theirs = directly(student, split.images, split.labels, threat, chunk_seed(SEED, 0))
    assert torch.equal(ours, theirs)
    assert 0 < ours.sum() < len(split)


def test_no_two_chunks_share_their_randomness():
    seeds = {chunk_seed(seed, chunk) for seed in range(5) for chunk in range(100)}

    assert len(seeds) == 500


def test_every_chunk_is_a_direct_run_under_its_own_seed(student, split):
    attack = QUICK.model_copy(update={"chunk_size": 10})

    ours = autoattack(student, split, THREAT, attack, seed=SEED).robust

    theirs = [
        directly(student, images, labels, THREAT, chunk_seed(SEED, number))
        for number, (images, labels) in enumerate(
            zip(split.images.split(10), split.labels.split(10), strict=True)
        )
    ]
    assert torch.equal(ours, torch.cat(theirs))


def test_a_cascade_only_ever_loses_images(student, split, result):
    steps = [clean_flags(student, split), *result.robust_after.values()]

    assert list(result.robust_after) == list(PARTS)
    assert all(not (b & ~a).any() for a, b in pairwise(steps))
    assert torch.equal(result.robust, steps[-1])


def test_alone_each_part_attacks_everything_that_is_right(student, split, result):
    attack = QUICK.model_copy(update={"cascade": False})

    alone = autoattack(student, split, THREAT, attack, seed=SEED)

    single = QUICK.model_copy(update={"parts": ("square",)})
    square = autoattack(student, split, THREAT, single, seed=SEED).robust
    assert torch.equal(alone.robust_after["square"], square)
    assert torch.equal(alone.robust_after["apgd-ce"], result.robust_after["apgd-ce"])
    assert alone.robust_after["square"].sum() > result.robust_after["square"].sum()


def test_it_is_at_least_as_strong_as_pgd(student, split, result):
    pgd = robust_flags(student, split, THREAT, NAMED_ATTACKS["margin_pgd20_relative"], seed=0)

    assert result.robust.sum() <= pgd.sum()


def test_a_stopped_run_goes_on_to_what_an_uninterrupted_one_finds(
    student, split, tmp_path, monkeypatch
):
    attack = AutoAttack(parts=("apgd-ce", "apgd-t"), chunk_size=6)
    whole = autoattack(student, split, THREAT, attack, seed=SEED)
    state, calls, real = tmp_path / "state.pt", [], module.survivors

    def stopping(*arguments, **keywords):
        calls.append(arguments)
        if len(calls) == 4:  # in the middle of the second chunk
            raise KeyboardInterrupt
        return real(*arguments, **keywords)

    monkeypatch.setattr(module, "survivors", stopping)
    with pytest.raises(KeyboardInterrupt):
        autoattack(student, split, THREAT, attack, seed=SEED, state=state)
    resumed = autoattack(student, split, THREAT, attack, seed=SEED, state=state)
    found = len(calls)
    again = autoattack(student, split, THREAT, attack, seed=SEED, state=state)

    assert found == 4 + 3  # the three before the stop are not run again
    assert len(calls) == found
    for outcome in (resumed, again):
        assert all(
            torch.equal(outcome.robust_after[part], whole.robust_after[part])
            for part in attack.parts
        )


@pytest.mark.parametrize("changed", ["seed", "threat", "attack", "images", "weights", "mean"])
def test_a_state_of_another_run_is_refused(student, split, tmp_path, changed):
    state, weak = tmp_path / "state.pt", AutoAttack(parts=("square",), square_queries=1)
    autoattack(student, split, THREAT, weak, seed=0, state=state)
    other = copy.deepcopy(student)
    if changed == "weights":
        other.model.fc.bias.data[0] += 1e-6
    if changed == "mean":
        other.mean += 1e-6
    images = split.images + (1e-6 if changed == "images" else 0)
    threat = ThreatModel(epsilon=0.16) if changed == "threat" else THREAT
    attack = QUICK if changed == "attack" else weak

    with pytest.raises(ValueError, match="belongs to other weights, images or settings"):
        autoattack(
            other,
            Split(images, split.labels),
            threat,
            attack,
            seed=int(changed == "seed"),
            state=state,
        )


def test_the_identity_does_not_depend_on_mode_or_gradients(student, split):
    other = copy.deepcopy(student).train().requires_grad_(False)

    same = identity(student, split, THREAT, QUICK, 0) == identity(other, split, THREAT, QUICK, 0)

    assert same


@pytest.mark.parametrize("classes", [2, 3])
def test_few_classes_have_no_dlr_loss_and_are_attacked_on_the_margin(linear_network, classes):
    network = linear_network(torch.eye(25)[:classes])
    images = torch.full((3, 1, 5, 5), 0.5)
    images[:, 0, 0, 0] = torch.tensor([0.52, 0.58, 0.4])
    split = Split(images, torch.tensor([0, 0, 0]))

    result = autoattack(network, split, ThreatModel(epsilon=0.02), QUICK, seed=0)

    assert result.warnings == ()
    for flags in result.robust_after.values():
        assert flags.tolist() == [False, True, False]


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("part", PARTS)
def test_each_part_alone_finds_the_boundary_of_few_classes(linear_network, classes, part):
    network = linear_network(torch.eye(25)[:classes])
    images = torch.full((2, 1, 5, 5), 0.5)
    images[:, 0, 0, 0] = torch.tensor([0.52, 0.58])
    split, attack = Split(images, torch.tensor([0, 0])), AutoAttack(parts=(part,))

    flags = autoattack(network, split, ThreatModel(epsilon=0.02), attack, seed=0).robust

    assert flags.tolist() == [False, True]


def test_one_image(student, digits):
    one = Split(digits.validation.images[:1], digits.validation.labels[:1])

    robust = autoattack(student, one, ThreatModel(epsilon=0.01), QUICK, seed=0).robust

    assert robust.tolist() == [True]


def test_images_that_are_wrong_anyway_are_not_attacked(linear_network, monkeypatch):
    network = linear_network(torch.eye(4))
    split = Split(torch.eye(4).view(4, 1, 2, 2), torch.tensor([1, 2, 3, 0]))
    monkeypatch.delattr(module, "survivors")

    assert not autoattack(network, split, THREAT, QUICK, seed=0).robust.any()


def test_clean_logits_that_are_nan_are_wrong(split):
    class Nothing(nn.Module):
        def forward(self, images):
            return torch.full((len(images), 10), torch.nan)

    zeros = Split(split.images, torch.zeros_like(split.labels))  # the argmax of NaN is class 0

    assert not autoattack(Nothing(), zeros, THREAT, QUICK, seed=0).robust.any()


@pytest.mark.parametrize("part", ["apgd-ce", "apgd-t", "square"])
def test_logits_that_turn_nan_under_attack_are_wrong(student, digits, part):
    zeros = digits.validation.labels == 0  # the argmax of NaN is class 0
    split = Split(digits.validation.images[zeros][:4], digits.validation.labels[zeros][:4])
    brittle, attack = Partly(student, split.images), QUICK.model_copy(update={"parts": (part,)})

    robust = autoattack(brittle, split, ThreatModel(epsilon=0.02), attack, seed=0).robust

    assert clean_flags(brittle, split).all()
    assert not robust.any()


def test_the_network_its_gradients_and_the_worlds_randomness_are_left_alone(student, split, caplog):
    student = copy.deepcopy(student).train()
    student.model.fc.bias.grad = torch.ones(4)
    before, drawn = copy.deepcopy(student.state_dict()), torch.get_rng_state()
    logger, numbers = logging.getLogger("auto-attack"), random.getstate()

    autoattack(student, split, THREAT, QUICK, seed=0)

    assert all(torch.equal(before[key], value) for key, value in student.state_dict().items())
    assert all(module.training for module in student.modules())
    assert all(parameter.requires_grad for parameter in student.parameters())
    assert student.model.fc.weight.grad is None
    assert torch.equal(student.model.fc.bias.grad, torch.ones(4))
    assert torch.equal(torch.get_rng_state(), drawn)
    assert random.getstate() == numbers
    assert (logger.handlers, logger.propagate) == ([], True)
    assert caplog.records == []


def test_square_does_not_write_into_the_network():
    network, attack = Stored(), AutoAttack(parts=("square",), square_queries=5)
    split = Split(torch.rand(1, 1, 5, 5), torch.tensor([0]))

    autoattack(network, split, THREAT, attack, seed=0)

    assert network.logits.tolist() == [[1.0, 0.0, 0.0, 0.0]]


def test_square_asks_as_often_as_it_is_told():
    network, asked = Stored(), []
    network.register_forward_hook(lambda *_: asked.append(1))
    split = Split(torch.rand(1, 1, 5, 5), torch.tensor([0]))

    few, more = 10, 110
    for queries in (few, more):
        attack = AutoAttack(parts=("square",), square_queries=queries)
        autoattack(network, split, THREAT, attack, seed=0)
        asked.append(0)

    first = asked.index(0)
    assert len(asked) - 2 - first == first + more - few


def test_what_the_library_warns_of_is_reported_and_not_printed(capfd, caplog):
    class Probabilities(nn.Module):
        def forward(self, images):
            return images.flatten(1).softmax(dim=1)

    split = Split(torch.eye(4).view(4, 1, 2, 2), torch.arange(4))
    attack = AutoAttack(parts=("apgd-ce",))

    result = autoattack(Probabilities(), split, ThreatModel(epsilon=0.01), attack, seed=0)

    assert any("probability distribution" in warning for warning in result.warnings)
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_square_under_l2_needs_five_pixels(linear_network):
    network = linear_network(torch.eye(4))
    split = Split(torch.eye(4).view(4, 1, 2, 2), torch.arange(4))
    threat = ThreatModel(norm="l2", epsilon=0.1)

    with pytest.raises(ValueError, match="at least 5 x 5 pixels, got 2 x 2"):
        autoattack(network, split, threat, QUICK, seed=0)


def test_a_machine_without_the_library_is_told(student, split, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyautoattack", None)

    with pytest.raises(ValueError, match="pip install pyautoattack"):
        autoattack(student, split, THREAT, QUICK, seed=0)


def test_a_part_may_be_named_once():
    with pytest.raises(ValueError, match="at most once, got square, square"):
        AutoAttack(parts=("square", "square"))


@pytest.mark.parametrize(
    ("attack", "label", "key"),
    [
        (AutoAttack(), "AutoAttack (standard, Linf 0.15)", "autoattack"),
        (QUICK, "AutoAttack (Square 60 queries, Linf 0.15)", "autoattack_60queries"),
        (AutoAttack(parts=("apgd-ce", "apgd-t")), "APGD-CE + APGD-T (Linf 0.15)", "apgd_ce_apgd_t"),
        (
            AutoAttack(parts=("square",), square_queries=9),
            "Square (9 queries, Linf 0.15)",
            "square_9queries",
        ),
    ],
)
def test_the_name_says_what_is_not_standard(attack, label, key):
    assert (attack.label(THREAT), attack.key) == (label, key)
