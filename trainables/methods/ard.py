"""Adversarially robust distillation (Goldblum et al., AAAI 2020)."""

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor
from typing_extensions import override

from trainables.attacks import Objective, cross_entropy_objective
from trainables.methods.base import Conventions, Method
from trainables.methods.batch import Batch, View
from trainables.methods.divergence import REDUCTION, Reduction, kl_to_teacher
from trainables.models.network import Network


class AdversariallyRobustDistillation(Method):
    r""":math:`w\,\tau^2\,KL(p_T^\tau(x) \| p_S^\tau(x')) + (1 - w)\,CE(f_S(x), y)`.

    Goldblum et al., 2020, eq. 3; x' maximises the student's cross-entropy. Conventions of the
    authors' code: tau 30, w 1, divergence averaged over classes too, uniform start, student in
    train mode during the attack. Differs from it: the start is clamped to [0, 1] before the first
    step, not after it.
    """

    name: Literal["ard"] = "ard"
    conventions: ClassVar[Conventions] = {"attack": {"start": "uniform", "batch_norm": "train"}}

    soft_weight: float = Field(
        1.0, ge=0, le=1, description="w, weight of the teacher against the labels"
    )
    temperature: float = Field(30.0, gt=0, le=100, description="tau, softens both distributions")
    teacher_sees: Literal["clean", "adversarial"] = Field(
        "clean", description="images shown to the teacher; adversarial in KDIGA's copy of the code"
    )
    reduction: Reduction = Field("mean", description=REDUCTION)

    @property
    def needs_teacher(self) -> bool:
        """Unless the teacher has no weight."""
        return self.soft_weight > 0

    @override
    def inner(
        self, student: Network, teacher: Network | None, clean: View, labels: Tensor
    ) -> Objective:
        """Cross-entropy of the true label."""
        return cross_entropy_objective(student, labels)

    def outer(self, batch: Batch) -> Tensor:
        """Soft labels for the adversarial images, hard ones for the clean images, in nats."""
        loss = batch.adversarial.student.logits.new_zeros(())
        if self.soft_weight > 0:
            seen = batch.clean if self.teacher_sees == "clean" else batch.adversarial
            student, teacher = batch.adversarial.student.logits, seen.teacher.logits
            soft = kl_to_teacher(student, teacher, self.temperature, self.reduction)
            loss = loss + self.soft_weight * soft
        if self.soft_weight < 1:
            hard = self.cross_entropy(batch.clean.student.logits, batch.labels)
            loss = loss + (1 - self.soft_weight) * hard
        return loss
