"""Knowledge distillation (Hinton et al., 2015): hard and soft labels on clean images."""

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor
from typing_extensions import override

from trainables.attacks import Objective
from trainables.methods.base import Method
from trainables.methods.batch import Batch, View
from trainables.methods.divergence import REDUCTION, Reduction, kl_to_teacher
from trainables.models.network import Network


class KnowledgeDistillation(Method):
    r""":math:`(1 - w)\,CE(f_S(x), y) + w\,\tau^2\,KL(p_T^\tau(x) \| p_S^\tau(x))`.

    Hinton et al., 2015, Sec. 2.
    """

    name: Literal["kd"] = "kd"
    attacks: ClassVar[bool] = False

    soft_weight: float = Field(
        0.5, ge=0, le=1, description="w, weight of the teacher against the labels"
    )
    temperature: float = Field(1.0, gt=0, le=100, description="tau, softens both distributions")
    reduction: Reduction = Field("batchmean", description=REDUCTION)

    @property
    def needs_teacher(self) -> bool:
        """Unless the teacher has no weight."""
        return self.soft_weight > 0

    @override
    def inner(
        self, student: Network, teacher: Network | None, clean: View, labels: Tensor
    ) -> Objective | None:
        """No attack."""
        return None

    def outer(self, batch: Batch) -> Tensor:
        """Weighted sum of both parts on clean images, in nats per example."""
        student = batch.clean.student.logits
        loss = (1 - self.soft_weight) * self.cross_entropy(student, batch.labels)
        if self.soft_weight == 0:
            return loss
        teacher = batch.clean.teacher.logits
        return loss + self.soft_weight * kl_to_teacher(
            student, teacher, self.temperature, self.reduction
        )
