"""Adversarial training (Madry et al., 2018): cross-entropy on what the attack finds."""

from typing import Literal

from pydantic import Field
from torch import Tensor
from torch.nn import functional as F
from typing_extensions import override

from trainables.attacks import Objective, cross_entropy_objective
from trainables.methods.base import Batch, Method, View
from trainables.models.network import Network


class AdversarialTraining(Method):
    r""":math:`\min_\theta E\,\max_{\delta} CE(f(x + \delta), y)` (Madry et al., 2018, eq. 2.1).

    With the alignments ``logits`` (alpha), ``covariance`` (beta) and ``gram`` (gamma) this is the
    variance-gap method (Dong et al., ECCV 2024).
    """

    name: Literal["adversarial_training"] = "adversarial_training"
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="share of the target spread over all classes"
    )

    @property
    def needs_teacher(self) -> bool:
        """Never."""
        return False

    @override
    def inner(
        self, student: Network, teacher: Network | None, clean: View, labels: Tensor
    ) -> Objective:
        """Cross-entropy of the true label."""
        return cross_entropy_objective(student, labels)

    def outer(self, batch: Batch) -> Tensor:
        """Mean cross-entropy on the adversarial images, in nats."""
        logits = batch.adversarial.student.logits
        return F.cross_entropy(logits, batch.labels, label_smoothing=self.label_smoothing)
