"""What a method is: the objective of the attack (``inner``) and the loss of SGD (``outer``)."""

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from trainables.attacks import Objective
from trainables.frozen import Frozen
from trainables.models.network import Network, Output

Reduction = Literal["batchmean", "mean"]


class View:
    """One batch of images as student and teacher see it.

    Each network runs at most once, when first asked for.

    Args:
        images: ``(batch, channels, height, width)`` in [0, 1].
        student: run in its current mode, with a graph to its parameters.
        teacher: run without a graph; may be missing where nothing asks for it.
        layers: feature maps to tap in both, counted from the end.
        differentiable: whether input gradients will be asked for.
    """

    def __init__(
        self,
        images: Tensor,
        student: Network,
        teacher: Network | None,
        *,
        layers: tuple[int, ...] = (),
        differentiable: bool = False,
    ) -> None:
        self.images = images.detach().requires_grad_(differentiable)
        self._student, self._teacher = student, teacher
        self._layers, self._differentiable = layers, differentiable

    @property
    def student_network(self) -> Network:
        """The student itself, for terms that need a pass of their own."""
        return self._student

    @cached_property
    def student(self) -> Output:
        """Logits and features of the student."""
        return self._student.outputs(self.images, self._layers)

    @cached_property
    def _attached_teacher(self) -> Output:
        assert self._teacher is not None, "a config that needs a teacher is refused without one"
        with torch.set_grad_enabled(self._differentiable):
            return self._teacher.outputs(self.images, self._layers)

    @cached_property
    def teacher(self) -> Output:
        """Logits and features of the teacher, constants for SGD."""
        return self._attached_teacher.detach()

    def teacher_gradient(self, labels: Tensor) -> Tensor:
        """Gradient of the teacher's cross-entropy by sample, shaped as ``images``, detached."""
        losses = F.cross_entropy(self._attached_teacher.logits, labels, reduction="sum")
        (gradient,) = torch.autograd.grad(losses, self.images, retain_graph=True)
        return gradient


class Batch:
    """A step's material: labels, the clean view, and the adversarial one if there is an attack."""

    def __init__(self, labels: Tensor, clean: View, adversarial: View | None) -> None:
        self.labels = labels
        self.clean = clean
        self._adversarial = adversarial

    @property
    def adversarial(self) -> View:
        """The attacked images; the clean ones where the method does not attack."""
        return self._adversarial or self.clean

    def views(self, domains: Literal["clean", "adversarial", "both"]) -> list[View]:
        """The views that a term is asked to compare; each view once."""
        named = {"clean": [self.clean], "adversarial": [self.adversarial]}
        if domains != "both":
            return named[domains]
        return [self.clean] if self._adversarial is None else [self.clean, self._adversarial]


class Method(Frozen, ABC):
    """One paper's training objective; settings are fields, state lives in ``Distillation``."""

    @property
    @abstractmethod
    def needs_teacher(self) -> bool:
        """Whether ``inner`` or ``outer`` asks the teacher anything."""

    @abstractmethod
    def inner(
        self, student: Network, teacher: Network | None, clean: View, labels: Tensor
    ) -> Objective | None:
        """What the attack maximises, one value per image; None where the method does not attack."""

    @abstractmethod
    def outer(self, batch: Batch) -> Tensor:
        """What SGD minimises before the alignment terms, a scalar."""


def kl_to_teacher(
    student: Tensor, teacher: Tensor, temperature: float = 1.0, reduction: Reduction = "batchmean"
) -> Tensor:
    r"""Mean over the batch of :math:`\tau^2\,KL(p_T \| p_S)` (Hinton et al., 2015, Sec. 2).

    Args:
        student: logits ``(batch, classes)``.
        teacher: logits ``(batch, classes)``; not detached, as some attacks need its gradient.
        temperature: :math:`\tau > 0`, softens both distributions.
        reduction: ``batchmean`` averages over samples; ``mean`` also over classes, as the code of
            ARD, KDIGA and RSLAD does, which makes the term smaller by the number of classes.

    Returns:
        Scalar, in nats per example (divided by the number of classes for ``mean``).
    """
    log_student = F.log_softmax(student / temperature, dim=1)
    log_teacher = F.log_softmax(teacher / temperature, dim=1)
    divergence = F.kl_div(log_student, log_teacher, reduction="sum", log_target=True)
    # not kl_div's own "mean": it warns at every call that it is not the mathematical KL
    count = student.numel() if reduction == "mean" else len(student)
    return temperature**2 * divergence / count
