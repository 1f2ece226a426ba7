"""TRADES (Zhang et al., ICML 2019): clean accuracy and smoothness, traded by one weight."""

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor
from typing_extensions import override

from trainables.attacks import Objective
from trainables.methods.base import Conventions, Method
from trainables.methods.batch import Batch, View
from trainables.methods.divergence import kl_from_fixed, kl_to_teacher, predictions
from trainables.models.network import Network


class Trades(Method):
    r""":math:`CE(f(x), y) + w\,\max_\delta KL(p(x) \| p(x + \delta))` (Zhang et al., 2019, eq. 5).

    Conventions of the authors' code: start ``x + 0.001 N(0, 1)``, steps of 0.007 at a radius of
    0.031, student in eval mode during the attack, batchmean, the clean prediction not detached.
    """

    name: Literal["trades"] = "trades"
    conventions: ClassVar[Conventions] = {
        "attack": {"start": "gaussian", "batch_norm": "eval", "step_size": 0.007 / 0.031}
    }

    smoothness_weight: float = Field(6.0, ge=0, description="w; the authors' beta = 1 / lambda")
    detach_clean: bool = Field(
        False,
        description="treat p(x) as a constant in the second term; not in the authors' code, though "
        "in some copies of it, at a cost in robustness",
    )

    @property
    def needs_teacher(self) -> bool:
        """Never: the student is its own teacher."""
        return False

    @override
    def inner(
        self, student: Network, teacher: Network | None, clean: View, labels: Tensor
    ) -> Objective:
        """Divergence from the student's own clean prediction."""
        return kl_from_fixed(student, predictions(student, clean.images))

    def outer(self, batch: Batch) -> Tensor:
        """Cross-entropy on clean images plus the weighted divergence, in nats per example."""
        clean = batch.clean.student.logits
        target = clean.detach() if self.detach_clean else clean
        divergence = kl_to_teacher(batch.adversarial.student.logits, target)
        return self.cross_entropy(clean, batch.labels) + self.smoothness_weight * divergence
