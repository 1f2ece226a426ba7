"""Local linearity: how far the loss is from its tangent plane."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from trainables.attacks import pgd
from trainables.data import Split
from trainables.diagnostics.gradients import input_gradients
from trainables.models import Network, module_mode
from trainables.threat import ThreatModel

Form = Literal["absolute", "shao2021"]


def local_linearity(
    network: Network,
    split: Split,
    threat: ThreatModel,
    *,
    steps: int = 50,
    form: Form = "absolute",
    seed: int = 0,
) -> Tensor:
    r"""The local linearity measure of every image (Qin et al., 2019, eq. 5).

    .. math:: \gamma(\epsilon, x) = \max_{\|\delta\| \le \epsilon}
              |\ell(x + \delta) - \ell(x) - \delta^T \nabla \ell(x)|

    with the cross-entropy as :math:`\ell`, found by ascent from a uniform start, in steps of a
    tenth of epsilon, and so a LOWER estimate of the maximum. ``shao2021`` is the form of KDIGA's
    code: ascent on the signed remainder in steps of 0.1, whatever epsilon is.

    Returns:
        ``(count,)``, in nats, >= 0 for ``absolute``.
    """
    linear = _Linearisation(network, split)
    generator = torch.Generator(split.device).manual_seed(seed)
    start = threat.random_start(split.images, generator)
    signed = form == "shao2021"
    with module_mode(network, training=False):
        moved = pgd(
            linear.remainder if signed else lambda images: linear.remainder(images).abs(),
            split.images,
            threat,
            step_size=0.1 if signed else 0.1 * threat.epsilon,
            steps=steps,
            start=start,
        )
        with torch.no_grad():
            remainder = linear.remainder(moved)
    return remainder if signed else remainder.abs()


class _Linearisation:
    """The first-order Taylor expansion of the cross-entropy at every image of a split."""

    def __init__(self, network: Network, split: Split) -> None:
        self.network, self.split = network, split
        self.gradients = input_gradients(network, split.images, split.labels)
        with module_mode(network, training=False), torch.no_grad():
            self.losses = self.at(split.images)

    def at(self, images: Tensor) -> Tensor:
        """The cross-entropy of moved images, ``(count,)``."""
        logits = self.network(images).float()
        return F.cross_entropy(logits, self.split.labels, reduction="none")

    def remainder(self, images: Tensor) -> Tensor:
        """What the expansion misses at the moved images, ``(count,)``, signed."""
        delta = images - self.split.images
        return self.at(images) - self.losses - (delta * self.gradients).flatten(1).sum(dim=1)
