"""Robust soft label adversarial distillation (Zi et al., ICCV 2021)."""

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor
from typing_extensions import override

from trainables.attacks import Objective
from trainables.methods.base import Conventions, Method
from trainables.methods.batch import Batch, View
from trainables.methods.divergence import REDUCTION, Reduction, kl_from_fixed, kl_to_teacher
from trainables.models.network import Network


class RobustSoftLabelDistillation(Method):
    r""":math:`w\,KL(p_T(x) \| p_S(x')) + (1 - w)\,KL(p_T(x) \| p_S(x))`, x' maximising the first.

    Zi et al., 2021, eq. 5. Conventions of the authors' code: w 5/6, temperature 1, no labels at
    all, averaged over classes too, start ``x + 0.001 N(0, 1)``, student in eval mode during the
    attack. Their 1e-5 inside the target's logarithm changes the value, no gradient, and is left
    out.
    """

    name: Literal["rslad"] = "rslad"
    conventions: ClassVar[Conventions] = {"attack": {"start": "gaussian", "batch_norm": "eval"}}

    adversarial_weight: float = Field(
        5 / 6, ge=0, le=1, description="w, weight of adversarial against clean images"
    )
    scale: float = Field(
        1.0, gt=0, description="factor of the whole loss; 10 in the authors' CIFAR-100 code"
    )
    reduction: Reduction = Field("mean", description=REDUCTION)

    @property
    def needs_teacher(self) -> bool:
        """Always."""
        return True

    @override
    def inner(
        self, student: Network, teacher: Network | None, clean: View, labels: Tensor
    ) -> Objective:
        """Divergence from the teacher's prediction of the clean image."""
        return kl_from_fixed(student, clean.teacher.logits)

    def outer(self, batch: Batch) -> Tensor:
        """Weighted divergences in nats per example (and class, for ``mean``)."""
        target = batch.clean.teacher.logits
        moved = kl_to_teacher(batch.adversarial.student.logits, target, reduction=self.reduction)
        still = kl_to_teacher(batch.clean.student.logits, target, reduction=self.reduction)
        return self.scale * (
            self.adversarial_weight * moved + (1 - self.adversarial_weight) * still
        )
