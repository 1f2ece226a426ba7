"""The variance-gap method (Dong et al., ECCV 2024), relayed as STARSHIP and Ada-STARSHIP."""

from abc import ABC
from typing import Any, ClassVar, Literal

from torch import Tensor
from typing_extensions import override

from trainables.attacks import Objective, cross_entropy_objective
from trainables.methods.base import Conventions, Method
from trainables.methods.batch import Batch, View
from trainables.methods.divergence import kl_from_moving_teacher
from trainables.models.network import Network

ALIGNMENTS: dict[str, dict[str, Any]] = {
    "logits": {"weight": 1.0},
    "covariance": {"weight": 1.0},
    "gram": {"weight": 1.0},
}
"""alpha, beta and gamma; the paper's own values are not public."""


class VarianceGapLoss(Method, ABC):
    """What both variants share: the loss before its alignments."""

    def outer(self, batch: Batch) -> Tensor:
        """Mean cross-entropy on the adversarial images, in nats."""
        return self.cross_entropy(batch.adversarial.student.logits, batch.labels)


class VarianceGap(VarianceGapLoss):
    r""":math:`L = L_{AT} + \alpha L_{KD} + \beta L_{cov} + \gamma L_{gram}` (Dong et al., 2024).

    L_AT is cross-entropy on adversarial images; alpha, beta and gamma are the alignments
    ``logits``, ``covariance`` and ``gram``, which this method switches on. The paper's code,
    weights, layers and attack settings are not public: the attack is Madry's with the student in
    eval mode.
    """

    name: Literal["variance_gap"] = "variance_gap"
    conventions: ClassVar[Conventions] = {
        "attack": {"start": "uniform", "batch_norm": "eval"},
        "alignments": ALIGNMENTS,
    }

    @property
    def needs_teacher(self) -> bool:
        """Not by itself: its alignments do."""
        return False

    @override
    def inner(
        self, student: Network, teacher: Network | None, clean: View, labels: Tensor
    ) -> Objective:
        """Cross-entropy of the true label."""
        return cross_entropy_objective(student, labels)


class AdaptiveVarianceGap(VarianceGapLoss):
    r"""The "Ada" variant: x' maximises :math:`KL(p_T(x') \| p_S(x'))` through both networks.

    The name is all that is known of it; the inner problem is AdaAD's, with AdaAD's start.
    """

    name: Literal["ada_variance_gap"] = "ada_variance_gap"
    conventions: ClassVar[Conventions] = {
        "attack": {"start": "gaussian", "batch_norm": "eval"},
        "alignments": ALIGNMENTS,
    }

    @property
    def needs_teacher(self) -> bool:
        """Always: the attack asks it."""
        return True

    @override
    def inner(
        self, student: Network, teacher: Network | None, clean: View, labels: Tensor
    ) -> Objective:
        """Divergence of the two networks at the attacked image."""
        return kl_from_moving_teacher(student, teacher)
