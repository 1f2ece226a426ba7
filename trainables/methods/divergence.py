"""Divergences between predictions, and the attack objectives made of them."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from trainables.attacks import Objective
from trainables.models.network import Network

Reduction = Literal["batchmean", "mean"]
REDUCTION = (
    "batchmean: averaged over images; mean: over images and classes, as PyTorch's KLDivLoss does "
    "by default, which makes the term smaller by the number of classes"
)


def kl_per_image(student: Tensor, target: Tensor, temperature: float = 1.0) -> Tensor:
    r""":math:`KL(p_{target}^\tau \| p_{student}^\tau)` of each image.

    Args:
        student: logits ``(batch, classes)``.
        target: logits ``(batch, classes)``; not detached, as some attacks and TRADES need its
            gradient.
        temperature: :math:`\tau > 0`, softens both distributions.

    Returns:
        ``(batch,)``, in nats; without the factor :math:`\tau^2`.
    """
    log_student = F.log_softmax(student / temperature, dim=1)
    log_target = F.log_softmax(target / temperature, dim=1)
    return F.kl_div(log_student, log_target, reduction="none", log_target=True).sum(dim=1)


def kl_to_teacher(
    student: Tensor, teacher: Tensor, temperature: float = 1.0, reduction: Reduction = "batchmean"
) -> Tensor:
    r"""Mean over the batch of :math:`\tau^2\,KL(p_T \| p_S)` (Hinton et al., 2015, Sec. 2).

    Args:
        student: logits ``(batch, classes)``.
        teacher: logits ``(batch, classes)``; not detached.
        temperature: :math:`\tau > 0`, softens both distributions.
        reduction: ``batchmean`` averages over samples; ``mean`` also over classes.

    Returns:
        Scalar, in nats per example (divided by the number of classes for ``mean``).
    """
    divergence = kl_per_image(student, teacher, temperature).mean()
    return temperature**2 * divergence / (student.shape[1] if reduction == "mean" else 1)


def kl_from_fixed(student: Network, target: Tensor) -> Objective:
    """The student's divergence from fixed predictions: TRADES, RSLAD.

    Args:
        student: attacked.
        target: logits ``(batch, classes)``, constants.
    """
    return lambda images: kl_per_image(student(images).float(), target)


def kl_from_moving_teacher(student: Network, teacher: Network | None) -> Objective:
    """The student's divergence from the teacher at the same point; its gradient needs both nets.

    AdaAD (Huang et al., CVPR 2023, eq. 5).
    """
    assert teacher is not None, "a config that needs a teacher is refused without one"
    return lambda images: kl_per_image(student(images).float(), teacher(images).float())


@torch.no_grad()
def predictions(network: Network, images: Tensor) -> Tensor:
    """Logits ``(batch, classes)`` without a graph, in the network's current mode."""
    logits: Tensor = network(images).float()
    return logits
