"""Knowledge distillation (Hinton et al., 2015): hard and soft labels on clean images."""

from typing import Literal

from pydantic import Field
from torch import Tensor
from torch.nn import functional as F
from typing_extensions import override

from trainables.attacks import Objective
from trainables.methods.base import Batch, Method, Reduction, View, kl_to_teacher
from trainables.models.network import Network


class KnowledgeDistillation(Method):
    r""":math:`(1 - w)\,CE(f_S(x), y) + w\,\tau^2\,KL(p_T^\tau(x) \| p_S^\tau(x))`.

    Hinton et al., 2015, Sec. 2.
    With the alignment ``input_gradient`` (lambda) this is KDIGA (Shao et al., 2021).
    """

    name: Literal["kd"] = "kd"
    soft_weight: float = Field(
        0.5, ge=0, le=1, description="w, weight of the teacher against the labels"
    )
    temperature: float = Field(1.0, gt=0, le=100, description="tau, softens both distributions")
    reduction: Reduction = Field(
        "batchmean", description="'mean' divides by the classes too, as KDIGA's code"
    )

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
        loss = (1 - self.soft_weight) * F.cross_entropy(batch.clean.student.logits, batch.labels)
        if self.soft_weight == 0:
            return loss
        soft = kl_to_teacher(
            batch.clean.student.logits, batch.clean.teacher.logits, self.temperature, self.reduction
        )
        return loss + self.soft_weight * soft
