"""Attacks that train and select: algorithms over an objective, not over a model.

An objective maps images ``(batch, channels, height, width)`` to one value per image ``(batch,)``
that the attacker wants large. One attack then serves cross-entropy, the margin loss, and any
divergence from a teacher.
"""

from collections.abc import Callable
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from trainables.frozen import Frozen
from trainables.threat import ThreatModel
from trainables.workers.ranks import ALONE, Ranks

Objective = Callable[[Tensor], Tensor]
Start = Literal["uniform", "gaussian", "none"]


class AttackConfig(Frozen):
    """Strength of a projected-gradient attack (Madry et al., 2018)."""

    steps: int = Field(
        10, ge=1, description="gradient steps; 1 with start 'none' and step_size 1 is FGSM"
    )
    step_size: float = Field(
        0.25,
        gt=0,
        le=4,
        description="length of a step as a fraction of epsilon; 0.25 of 8/255 is 2/255",
    )
    start: Start = Field(
        "uniform",
        description="first point: uniform in the ball, 0.001 * Gaussian (TRADES, RSLAD), or the "
        "image itself",
    )
    batch_norm: Literal["eval", "train"] = Field(
        "eval",
        description="mode of the student's BatchNorm during the attack: eval as in TRADES, RSLAD, "
        "AdaAD; train as in Madry, ARD, KDIGA, whose running statistics then see every iterate",
    )


def pgd(
    objective: Objective,
    images: Tensor,
    threat: ThreatModel,
    *,
    step_size: float,
    steps: int,
    start: Tensor | None = None,
) -> Tensor:
    r"""Projected gradient ascent (Madry et al., 2018, Sec. 2.1).

    .. math:: x' \leftarrow \Pi(x' + \eta\,\mathrm{steepest}(\nabla J(x')))

    No gradient reaches the parameters behind ``objective``.

    Args:
        objective: maps images to one value per image; maximised.
        images: ``(batch, channels, height, width)`` in [0, 1].
        threat: norm and radius.
        step_size: length of a step in the units of ``epsilon`` itself (not a fraction).
        steps: number of gradient steps, >= 0.
        start: first iterate inside the ball; ``images`` when omitted.

    Returns:
        Adversarial images of the same shape, detached, inside the ball and [0, 1].
    """
    adversarial = (images if start is None else start).detach()
    for _ in range(steps):
        adversarial.requires_grad_()
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(objective(adversarial).sum(), adversarial)
        with torch.no_grad():
            adversarial = threat.project(
                adversarial + step_size * threat.steepest(gradient), images
            )
    return adversarial.detach()


def attack(
    objective: Objective,
    images: Tensor,
    threat: ThreatModel,
    config: AttackConfig,
    *,
    generator: torch.Generator,
    ranks: Ranks = ALONE,
) -> Tensor:
    """Run :func:`pgd` as ``config`` says, from the start it names."""
    start = ranks.as_whole(
        lambda whole: starting_point(config.start, whole, threat, generator), images
    )
    return attack_from(start, objective, images, threat=threat, config=config)


def attack_from(
    start: Tensor,
    objective: Objective,
    images: Tensor,
    *,
    threat: ThreatModel,
    config: AttackConfig,
) -> Tensor:
    """Run :func:`pgd` as ``config`` says, from a start already drawn."""
    step_size = config.step_size * threat.epsilon
    return pgd(objective, images, threat, step_size=step_size, steps=config.steps, start=start)


def starting_point(
    start: Start, images: Tensor, threat: ThreatModel, generator: torch.Generator
) -> Tensor:
    """First iterate of an attack, inside the ball and [0, 1]."""
    if start == "none":
        return images
    if start == "uniform":
        return threat.random_start(images, generator)
    noise = torch.randn(images.shape, generator=generator, device=images.device)
    return threat.project(images + 0.001 * noise, images)


def cross_entropy_objective(network: nn.Module, labels: Tensor) -> Objective:
    """Cross-entropy of the true label, per image, in nats; logits are cast to float32 first."""
    return lambda images: F.cross_entropy(network(images).float(), labels, reduction="none")


def margin_objective(network: nn.Module, labels: Tensor) -> Objective:
    """Largest wrong logit minus the true one, per image.

    Carlini & Wagner, 2017, f_6 without confidence.
    The direction of its gradient does not change when all logits are scaled, so a network cannot
    look robust by becoming confident.
    """
    return lambda images: margin(network(images).float(), labels)


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """``max_{j != y} z_j - z_y`` for logits ``(batch, classes)``; positive where wrong."""
    true = logits.gather(1, labels[:, None]).squeeze(1)
    others = logits.scatter(1, labels[:, None], float("-inf"))
    return others.amax(dim=1) - true
