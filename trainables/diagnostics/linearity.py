"""Local linearity, and the empirical bound that KDIGA's argument rests on."""

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
        self._network, self._split = network, split
        self.gradients = input_gradients(network, split.images, split.labels)
        with module_mode(network, training=False), torch.no_grad():
            self.losses = self.at(split.images)

    def at(self, images: Tensor) -> Tensor:
        """The cross-entropy of moved images, ``(count,)``."""
        logits = self._network(images).float()
        return F.cross_entropy(logits, self._split.labels, reduction="none")

    def remainder(self, images: Tensor) -> Tensor:
        """What the expansion misses at the moved images, ``(count,)``, signed."""
        delta = images - self._split.images
        return self.at(images) - self.losses - (delta * self.gradients).flatten(1).sum(dim=1)


def empirical_bound(
    student: Network, teacher: Network, split: Split, threat: ThreatModel, *, seed: int = 0
) -> dict[str, float]:
    r"""What local linearity says of the student, image by image. EMPIRICAL, never a certificate.

    .. math:: \max_\delta \ell_S(x + \delta) \le \max_\delta \ell_T(x + \delta) + |\ell_S - \ell_T|
              + \epsilon \|\nabla \ell_S - \nabla \ell_T\|_* + \gamma_S + \gamma_T

    The dual norm is L1 for Linf and L2 for L2. By Hoelder it holds for the true maxima; all maxima
    here are found by ascent, which makes the two gammas and the teacher's maximum too small.

    Returns:
        Means over the images, in nats: ``student_maximum`` and ``teacher_maximum`` (PGD-50 on the
        cross-entropy), ``loss_gap``, ``gradient_term``, ``student_gamma``, ``teacher_gamma``,
        ``bound`` (the right side), and ``bound_holds``, the share of images where the left side is
        at most the right side.
    """
    own, taught = _Linearisation(student, split), _Linearisation(teacher, split)
    gradient = (own.gradients - taught.gradients).flatten(1)
    terms = {
        "loss_gap": (own.losses - taught.losses).abs(),
        "gradient_term": threat.epsilon * gradient.norm(p=1 if threat.norm == "linf" else 2, dim=1),
        "student_gamma": local_linearity(student, split, threat, seed=seed),
        "teacher_gamma": local_linearity(teacher, split, threat, seed=seed),
        "teacher_maximum": _largest_loss(teacher, taught, split, threat, seed=seed),
    }
    bound = torch.stack(list(terms.values())).sum(dim=0)
    largest = _largest_loss(student, own, split, threat, seed=seed)
    means = {name: values.mean().item() for name, values in terms.items()}
    holds = (largest <= bound + 1e-5).double().mean().item()
    return {
        **means,
        "student_maximum": largest.mean().item(),
        "bound": bound.mean().item(),
        "bound_holds": holds,
    }


def _largest_loss(
    network: Network, loss: _Linearisation, split: Split, threat: ThreatModel, *, seed: int
) -> Tensor:
    generator = torch.Generator(split.images.device).manual_seed(seed)
    start = threat.random_start(split.images, generator)
    with module_mode(network, training=False):
        moved = pgd(
            loss.at, split.images, threat, step_size=0.1 * threat.epsilon, steps=50, start=start
        )
        with torch.no_grad():
            return torch.maximum(loss.at(moved), loss.losses)
