"""Adaptive adversarial distillation (Huang et al., CVPR 2023): teacher and student are attacked."""

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor
from typing_extensions import override

from trainables.attacks import Objective
from trainables.methods.base import Conventions, Method
from trainables.methods.batch import Batch, View
from trainables.methods.divergence import (
    REDUCTION,
    Reduction,
    kl_from_moving_teacher,
    kl_to_teacher,
)
from trainables.models.network import Network


class AdaptiveAdversarialDistillation(Method):
    r""":math:`w\,KL(p_T(x') \| p_S(x')) + (1 - w)\,KL(p_T(x) \| p_S(x))`.

    Huang et al., 2023, eq. 6; x' maximises :math:`KL(p_T(x') \| p_S(x'))` through both networks.
    Conventions of the authors' code: w 1, averaged over classes too (batchmean for CIFAR-100),
    start ``x + 0.001 N(0, 1)``, student in eval mode during the attack.
    """

    name: Literal["adaad"] = "adaad"
    conventions: ClassVar[Conventions] = {"attack": {"start": "gaussian", "batch_norm": "eval"}}

    adversarial_weight: float = Field(
        1.0, ge=0, le=1, description="w, weight of adversarial against clean images"
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
        """Divergence of the two networks at the attacked image."""
        return kl_from_moving_teacher(student, teacher)

    def outer(self, batch: Batch) -> Tensor:
        """Weighted divergences in nats per example (and class, for ``mean``)."""
        loss = self.adversarial_weight * self._divergence(batch.adversarial)
        if self.adversarial_weight < 1:
            loss = loss + (1 - self.adversarial_weight) * self._divergence(batch.clean)
        return loss

    def _divergence(self, view: View) -> Tensor:
        return kl_to_teacher(view.student.logits, view.teacher.logits, reduction=self.reduction)
