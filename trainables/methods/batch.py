"""A step's material: images as student and teachers see them, run no more often than asked for."""

from collections.abc import MutableMapping
from functools import cached_property
from typing import Literal, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from trainables.models.network import Network, Output
from trainables.models.taps import Tap
from trainables.workers.ranks import ALONE, Ranks


class View:
    """One batch of images as student and teachers see it.

    Each network runs at most once, when first asked for.

    Args:
        images: ``(batch, channels, height, width)``, in [0, 1] unless a term looks outside.
        student: run in its current mode, with a graph to its parameters.
        teacher: run without a graph; may be missing where nothing asks for it.
        clean_teacher: a second teacher, trained without attack; likewise.
        layers: feature maps to tap in both, counted from the end or by name, or pairs of them.
        differentiable: whether input gradients will be asked for.
        ranks: the processes over which the batch is spread; these images are this one's.
    """

    def __init__(
        self,
        images: Tensor,
        student: Network,
        teacher: Network | None,
        *,
        clean_teacher: Network | None = None,
        layers: tuple[Tap, ...] = (),
        differentiable: bool = False,
        ranks: Ranks = ALONE,
    ) -> None:
        self.ranks = ranks
        self.images = images.detach().requires_grad_(differentiable)
        self._student, self._teacher, self._clean_teacher = student, teacher, clean_teacher
        self._layers, self._differentiable = layers, differentiable

    def at(self, images: Tensor) -> Self:
        """Other images as the same networks see them; nothing has run on them yet."""
        return type(self)(
            images,
            self._student,
            self._teacher,
            clean_teacher=self._clean_teacher,
            layers=self._layers,
            differentiable=self._differentiable,
            ranks=self.ranks,
        )

    @property
    def student_network(self) -> Network:
        """The student itself, for terms that need a pass of their own."""
        return self._student

    @cached_property
    def student(self) -> Output:
        """Logits and features of the student."""
        return self._student.tapped(self.images, self._layers, teacher=False)

    @cached_property
    def _attached_teacher(self) -> Output:
        assert self._teacher is not None, "a config that needs a teacher is refused without one"
        with torch.set_grad_enabled(self._differentiable):
            return self._teacher.tapped(self.images, self._layers, teacher=True)

    @cached_property
    def teacher(self) -> Output:
        """Logits and features of the teacher, constants for SGD."""
        return self._attached_teacher.detach()

    @cached_property
    def clean_teacher(self) -> Output:
        """Logits of the teacher trained without attack, constants for SGD."""
        assert self._clean_teacher is not None, "a config without a clean teacher is refused"
        with torch.no_grad():
            return self._clean_teacher.outputs(self.images)

    def teacher_gradient(self, labels: Tensor) -> Tensor:
        """Gradient of the teacher's cross-entropy by sample, shaped as ``images``, detached."""
        losses = F.cross_entropy(self._attached_teacher.logits, labels, reduction="sum")
        (gradient,) = torch.autograd.grad(losses, self.images, retain_graph=True)
        return gradient


class Batch:
    """Labels, the clean view, the adversarial one if there is an attack, and how far training is.

    Args:
        labels: ``(batch,)``, int64.
        clean: the images as they are.
        adversarial: what the attack made of them.
        progress: share of the epochs that are done when this one ends, in (0, 1].
        state: the method's scalars, carried from step to step.
    """

    def __init__(
        self,
        labels: Tensor,
        clean: View,
        adversarial: View | None,
        *,
        progress: float = 1.0,
        state: MutableMapping[str, Tensor] | None = None,
    ) -> None:
        self.labels, self.clean, self._adversarial = labels, clean, adversarial
        self.progress = progress
        self.state: MutableMapping[str, Tensor] = {} if state is None else state

    @property
    def adversarial(self) -> View:
        """The attacked images; the clean ones where the method does not attack."""
        return self._adversarial or self.clean

    @cached_property
    def mirrored(self) -> View:
        """The clean images moved by the perturbation the other way; not clamped to [0, 1]."""
        return self.clean.at(2 * self.clean.images - self.adversarial.images)

    def views(self, domains: Literal["clean", "adversarial", "both"]) -> list[View]:
        """The views that a term is asked to compare; each view once."""
        named = {"clean": [self.clean], "adversarial": [self.adversarial]}
        if domains != "both":
            return named[domains]
        return [self.clean] if self._adversarial is None else [self.clean, self._adversarial]

    def again(self) -> "Batch":
        """The same images, for another pass; what it does to the state is forgotten."""
        adversarial = self._adversarial and self._adversarial.at(self._adversarial.images)
        clean = self.clean.at(self.clean.images)
        return Batch(
            self.labels, clean, adversarial, progress=self.progress, state=dict(self.state)
        )
