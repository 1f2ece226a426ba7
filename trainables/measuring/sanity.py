"""Measuring what the gates of :mod:`trainables.measuring.masking` judge."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainables.attacks import margin
from trainables.data import Split
from trainables.measuring.autoattack import AutoAttack, autoattack
from trainables.measuring.autoattack_parts import is_installed
from trainables.measuring.masking import (
    Gate,
    black_box_is_weaker,
    everything_falls,
    gradients_exist,
    logit_scale,
    losses_agree,
    monotone_in_epsilon,
    monotone_in_steps,
)
from trainables.measuring.named_attacks import NAMED_ATTACKS, NamedAttack
from trainables.measuring.robustness import Accuracy, clean_flags, robust_flags, worst_case
from trainables.measuring.undisturbed import undisturbed
from trainables.models import Network
from trainables.threat import ThreatModel

FGSM = NAMED_ATTACKS["fgsm"]
CE, MARGIN = NAMED_ATTACKS["pgd20_relative"], NAMED_ATTACKS["margin_pgd20_relative"]
LONG, LONG_MARGIN = NAMED_ATTACKS["pgd100_relative"], NAMED_ATTACKS["margin_pgd100_relative"]

SHARES = (0.25, 0.5)
"""Of epsilon, at which margin PGD is compared with itself at epsilon."""

SQUARE_QUERIES = 1000
"""Of the gate; AutoAttack's own Square asks 5000 times."""


@dataclass(frozen=True)
class _Subject:
    """A network under examination, and on what."""

    network: Network
    split: Split
    threat: ThreatModel
    seed: int

    def flags(self, attack: NamedAttack) -> Tensor:
        """Which images hold."""
        return robust_flags(self.network, self.split, self.threat, attack, seed=self.seed)

    def left(self, attack: NamedAttack) -> Accuracy:
        """How many images hold."""
        return Accuracy.of(self.flags(attack))

    def under(self, threat: ThreatModel) -> "_Subject":
        """The same in another ball."""
        return _Subject(self.network, self.split, threat, self.seed)

    def times(self, factor: float) -> "_Subject":
        """The same with its logits multiplied."""
        return _Subject(Rescaled(self.network, factor), self.split, self.threat, self.seed)


def sanity_gates(network: Network, split: Split, threat: ThreatModel, *, seed: int) -> list[Gate]:
    """Every gate on one split; the black box only where ``pyautoattack`` is installed.

    Costs up to 540 forward and backward passes per image that holds, and for those that hold to the
    end APGD's 1010 and Square's 1000 forward passes more.

    Args:
        network: left as it was.
        split: 100 to 1000 images say enough.
        threat: the ball that the robustness is claimed for.
        seed: of every random start.
    """
    subject = _Subject(network, split, threat, seed)
    flags = {attack.key: subject.flags(attack) for attack in (FGSM, CE, LONG, MARGIN, LONG_MARGIN)}
    left = {key: Accuracy.of(found) for key, found in flags.items()}
    steps = [("FGSM", left[FGSM.key]), ("PGD-20", left[CE.key]), ("PGD-100", left[LONG.key])]
    smaller = [ThreatModel(norm=threat.norm, epsilon=s * threat.epsilon) for s in SHARES]
    by_epsilon = {ball.epsilon: subject.under(ball).left(MARGIN) for ball in smaller}
    # under Linf epsilon 1 every image is allowed, whatever norm the threat model has
    anything = ThreatModel(norm="linf", epsilon=1)
    gates = [
        monotone_in_epsilon({**by_epsilon, threat.epsilon: left[MARGIN.key]}),
        monotone_in_steps(steps),
        everything_falls(subject.under(anything).left(LONG_MARGIN)),
        gradients_exist(zero_gradients(network, split)),
        losses_agree(left[CE.key], left[MARGIN.key]),
        _scale_gate(subject),
    ]
    if is_installed():
        gates.append(_square_gate(subject, worst_case(flags.values())))
    return gates


def zero_gradients(network: Network, split: Split, batch_size: int = 512) -> Accuracy:
    """Of the images that are classified right, those whose cross-entropy gradient is all zero.

    In float32. Counted as "correct" of "total"; 0 of 1 where no image is right.
    """
    right = clean_flags(network, split, batch_size)
    if not right.any():
        return Accuracy(0, 1)
    gradients = (_input_gradient(network, *part) for part in split[right].chunks(batch_size))
    return Accuracy.of(torch.cat([part.flatten(1).eq(0).all(dim=1) for part in gradients]))


def _input_gradient(network: Network, images: Tensor, labels: Tensor) -> Tensor:
    images = images.detach().clone().requires_grad_()
    with undisturbed(network), torch.enable_grad():
        losses = F.cross_entropy(network(images).float(), labels, reduction="sum")
        (gradient,) = torch.autograd.grad(losses, images)
    return gradient


class Rescaled(Network):
    """The same network with all logits multiplied by a factor: the same predictions."""

    def __init__(self, network: Network, factor: float) -> None:
        nn.Module.__init__(self)
        self.network, self.factor = network, factor

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(batch, classes)`` of images in [0, 1]."""
        logits: Tensor = self.factor * self.network(images)
        return logits


def scale_factors(network: Network, split: Split, batch_size: int = 512) -> list[float]:
    """1, 1/8, 8, and the one that makes the median margin 1; powers of two, so that none rounds."""
    with torch.no_grad(), undisturbed(network):
        logits = [network(images).float() for images, _ in split.chunks(batch_size)]
    typical = margin(torch.cat(logits), split.labels).abs().median().item()
    usable = math.isfinite(typical) and typical > 0
    natural = 2.0 ** -round(math.log2(typical)) if usable else 1.0
    return sorted({1.0, 0.125, 8.0, natural})


def _scale_gate(subject: _Subject) -> Gate:
    factors = scale_factors(subject.network, subject.split)
    return logit_scale(
        {factor: subject.times(factor).left(CE) for factor in factors},
        {factor: subject.times(factor).left(MARGIN) for factor in factors},
    )


def _square_gate(subject: _Subject, white: Tensor) -> Gate:
    """What APGD leaves of what PGD left, and what Square leaves of that."""
    parts = AutoAttack(parts=("apgd-ce", "apgd-t", "square"), square_queries=SQUARE_QUERIES)
    split, before, after = subject.split, 0, 0
    if white.any():
        result = autoattack(subject.network, split[white], subject.threat, parts, seed=subject.seed)
        before, after = int(result.robust_after["apgd-t"].sum()), int(result.robust.sum())
    count = len(split)
    return black_box_is_weaker(
        Accuracy(before, count), Accuracy(after, count), queries=SQUARE_QUERIES
    )
