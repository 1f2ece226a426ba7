"""Attacks that measure: projected gradient attacks with every parameter, and their usual names.

PGD-20 at 2/255 and PGD-20 at 0.003 are different numbers in this field, so a name stands for all
parameters, and a label spells them out.
"""

import math
from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from trainables.attacks import Objective, Start, cross_entropy_objective, margin_objective
from trainables.frozen import Frozen
from trainables.radii import Unit, radius
from trainables.threat import PIXEL, ThreatModel

Loss = Literal["cross_entropy", "margin", "kl"]

LOSS_NAMES: dict[Loss, str] = {"cross_entropy": "CE", "margin": "margin", "kl": "KL"}


class NamedAttack(Frozen):
    """A projected gradient attack (Madry et al., 2018) whose parameters are all written down."""

    loss: Loss = Field(
        "cross_entropy",
        description="maximised: cross-entropy of the label; margin = largest wrong logit minus the "
        "true one (Carlini & Wagner, 2017); kl = KL(p(x) || p(x')), which needs a random start",
    )
    steps: int = Field(20, ge=1, description="gradient steps")
    step: float = Field(2 * PIXEL, gt=0, description="length of a step, in step_unit")
    step_unit: Unit = Field(
        "image", description="image: as pixel values in [0, 1]; epsilon: as a fraction of epsilon"
    )
    start: Start = Field(
        "uniform", description="uniform in the ball, 0.001 * Gaussian, or the image itself (none)"
    )
    restarts: int = Field(1, ge=1, description="runs from new starts; the worst counts, per image")

    @model_validator(mode="after")
    def _can_move(self) -> Self:
        if self.loss == "kl" and self.start == "none":
            raise ValueError(
                "loss 'kl' cannot leave start 'none': the gradient of KL(p(x) || p(x')) at x' = x "
                "is zero; allowed starts: 'uniform', 'gaussian'"
            )
        if self.start == "none" and self.restarts > 1:
            raise ValueError(
                f"restarts must be 1 with start 'none', where all are equal, got {self.restarts}"
            )
        return self

    def step_size(self, threat: ThreatModel) -> float:
        """Length of a step in the units of images in [0, 1]."""
        return self.step * threat.epsilon if self.step_unit == "epsilon" else self.step

    def crosses(self, threat: ThreatModel) -> bool:
        """Whether the steps are long enough to walk from the image to the edge of the ball."""
        return self.steps * self.step_size(threat) >= threat.epsilon * (1 - 1e-6)

    def objective(self, network: nn.Module, images: Tensor, labels: Tensor) -> Objective:
        """What the attack maximises on these images, one value per image."""
        if self.loss == "kl":
            return kl_objective(network, images)
        if self.loss == "margin":
            return margin_objective(network, labels)
        return cross_entropy_objective(network, labels)

    @property
    def name(self) -> str:
        """Every parameter in words: ``PGD-20 (CE, 20 x 2/255, uniform start)``."""
        loss = LOSS_NAMES[self.loss]
        if self.is_fgsm:
            return f"FGSM ({loss})"
        unit = " epsilon" if self.step_unit == "epsilon" else ""
        start = "no random start" if self.start == "none" else f"{self.start} start"
        restarts = f", {self.restarts} restarts" if self.restarts > 1 else ""
        step = f"{self.step:.4g}" if unit else radius(self.step)
        return f"PGD-{self.steps} ({loss}, {self.steps} x {step}{unit}, {start}{restarts})"

    def label(self, threat: ThreatModel) -> str:
        """The name and the ball: ``PGD-20 (CE, 20 x 2/255, uniform start, Linf 8/255)``."""
        return f"{self.name[:-1]}, {ball(threat)})"

    @property
    def key(self) -> str:
        """The name as part of a metric's: ``pgd20_ce_2_255_uniform``; different where it is."""
        if self.is_fgsm:
            return f"fgsm_{LOSS_NAMES[self.loss].lower()}"
        unit = "eps" if self.step_unit == "epsilon" else ""
        step = f"{self.step:.4g}" if unit else radius(self.step)
        step = step.replace("/", "_").replace(".", "p")
        restarts = f"_{self.restarts}restarts" if self.restarts > 1 else ""
        loss = LOSS_NAMES[self.loss].lower()
        return f"pgd{self.steps}_{loss}_{step}{unit}_{self.start}{restarts}"

    @property
    def is_fgsm(self) -> bool:
        """Whether it is the fast gradient sign method: one step of epsilon, no random start."""
        whole = self.step_unit == "epsilon" and math.isclose(self.step, 1)
        return self.steps == 1 and whole and self.start == "none"


def kl_objective(network: nn.Module, images: Tensor) -> Objective:
    r"""``KL(p(x) || p(x'))`` per image, in nats (Zhang et al., TRADES, 2019, Sec. 5).

    Args:
        network: gives logits.
        images: ``x``, ``(batch, channels, height, width)``; where the value and its gradient are 0.
    """
    with torch.no_grad():
        log_clean = F.log_softmax(network(images).float(), dim=1)

    def divergence(moved: Tensor) -> Tensor:
        log_moved = F.log_softmax(network(moved).float(), dim=1)
        return F.kl_div(log_moved, log_clean, reduction="none", log_target=True).sum(dim=1)

    return divergence


def ball(threat: ThreatModel) -> str:
    """The threat model in words: ``Linf 8/255``."""
    return f"{ {'linf': 'Linf', 'l2': 'L2'}[threat.norm] } {radius(threat.epsilon)}"


NAMED_ATTACKS: dict[str, NamedAttack] = {
    "fgsm": NamedAttack(steps=1, step=1, step_unit="epsilon", start="none"),
    "pgd10": NamedAttack(steps=10),
    "pgd20": NamedAttack(steps=20),
    "pgd20_trades": NamedAttack(steps=20, step=0.003),
    "pgd20_relative": NamedAttack(steps=20, step=0.1, step_unit="epsilon"),
    "pgd100": NamedAttack(steps=100),
    "pgd100_relative": NamedAttack(steps=100, step=0.1, step_unit="epsilon"),
    "margin_pgd20": NamedAttack(loss="margin", steps=20),
    "margin_pgd20_relative": NamedAttack(loss="margin", steps=20, step=0.1, step_unit="epsilon"),
    "margin_pgd100_relative": NamedAttack(loss="margin", steps=100, step=0.1, step_unit="epsilon"),
    "cw_inf": NamedAttack(loss="margin", steps=30),
    "kl_pgd20": NamedAttack(loss="kl", steps=20),
    "kl_pgd20_relative": NamedAttack(loss="kl", steps=20, step=0.1, step_unit="epsilon"),
}
"""By their usual names. 2/255: Madry et al.; 0.003: TRADES; relative: 2 epsilon / 20, as in KDIGA.

``cw_inf`` is margin PGD of 30 x 2/255, as IAD and others call it. A relative step suits any
epsilon; absolute ones are made for 8/255 and do not reach the edge of much larger balls.
"""
