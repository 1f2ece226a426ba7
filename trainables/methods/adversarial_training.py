"""Adversarial training (Madry et al., 2018): cross-entropy on what the attack finds."""

from typing import ClassVar, Literal

from torch import Tensor
from typing_extensions import override

from trainables.attacks import Objective, cross_entropy_objective
from trainables.methods.base import Conventions, Method
from trainables.methods.batch import Batch, View
from trainables.models.network import Network


class AdversarialTraining(Method):
    r""":math:`\min_\theta E\,\max_{\delta} CE(f(x + \delta), y)` (Madry et al., 2018, eq. 2.1).

    Conventions of Madry et al. and of Rice et al., 2020: uniform start, BatchNorm in train mode
    during the attack.
    """

    name: Literal["adversarial_training"] = "adversarial_training"
    conventions: ClassVar[Conventions] = {"attack": {"start": "uniform", "batch_norm": "train"}}

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
        return self.cross_entropy(batch.adversarial.student.logits, batch.labels)
