"""Local linearity, and the empirical bound that KDIGA's argument rests on."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from trainables.attacks import Objective, pgd
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
    generator = torch.Generator(split.images.device).manual_seed(seed)
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


def empirical_bound(
    student: Network,
    teacher: Network,
    split: Split,
    threat: ThreatModel,
    *,
    steps: int = 50,
    seed: int = 0,
) -> dict[str, float]:
    r"""What local linearity says of the student, image by image. EMPIRICAL, never a certificate.

    .. math:: \max_\delta \ell_S(x + \delta) \le \max_\delta \ell_T(x + \delta) + |\ell_S - \ell_T|
              + \epsilon \|\nabla \ell_S - \nabla \ell_T\|_* + \gamma_S + \gamma_T

    The dual norm is L1 for Linf and L2 for L2 (Hoelder). All maxima are the largest values that
    ascents of ``steps`` steps on the losses and on the remainders have found, each of them tried on
    every term; the true ones may be larger.

    Returns:
        Means over the images, in nats: ``student_maximum`` (the left side), ``bound`` (the right
        side) and its terms ``teacher_maximum``, ``loss_gap``, ``gradient_term``, ``student_gamma``
        and ``teacher_gamma``.
    """
    own, taught = _Linearisation(student, split), _Linearisation(teacher, split)
    points = [
        _ascend(part, objective, threat, steps=steps, seed=seed)
        for part in (own, taught)
        for objective in (part.at, lambda images, part=part: part.remainder(images).abs())
    ]
    gradient = (own.gradients - taught.gradients).flatten(1)
    dual = 1 if threat.norm == "linf" else 2
    terms = {
        "teacher_maximum": _largest(taught, taught.at, points),
        "loss_gap": (own.losses - taught.losses).abs(),
        "gradient_term": threat.epsilon * gradient.norm(p=dual, dim=1),
        "student_gamma": _largest(own, lambda images: own.remainder(images).abs(), points),
        "teacher_gamma": _largest(taught, lambda images: taught.remainder(images).abs(), points),
    }
    return {
        "student_maximum": _largest(own, own.at, points).mean().item(),
        "bound": torch.stack(list(terms.values())).sum(dim=0).mean().item(),
        **{name: values.mean().item() for name, values in terms.items()},
    }


def _ascend(
    part: _Linearisation, objective: Objective, threat: ThreatModel, *, steps: int, seed: int
) -> Tensor:
    """Where an ascent in steps of a tenth of epsilon ends, for every image."""
    images = part.split.images
    generator = torch.Generator(images.device).manual_seed(seed)
    start = threat.random_start(images, generator)
    with module_mode(part.network, training=False):
        return pgd(
            objective, images, threat, step_size=0.1 * threat.epsilon, steps=steps, start=start
        )


@torch.no_grad()
def _largest(part: _Linearisation, objective: Objective, points: list[Tensor]) -> Tensor:
    """The largest value at any of the points or at the image itself, ``(count,)``."""
    with module_mode(part.network, training=False):
        values = [objective(images) for images in (part.split.images, *points)]
    return torch.stack(values).amax(dim=0)
