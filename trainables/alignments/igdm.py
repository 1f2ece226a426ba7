"""Indirect gradient matching (Lee et al., ICLR 2025): first order, so it works everywhere."""

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from trainables.alignments.base import Alignment
from trainables.methods.batch import Batch
from trainables.methods.divergence import kl_to_teacher


class IndirectGradientAlignment(Alignment):
    r"""Matches how the predictions change from :math:`x - d` to :math:`x + d`.

    .. math:: KL(softmax(f_T(x + d) - f_T(x - d)) \| softmax(f_S(x + d) - f_S(x - d)))

    Lee et al., 2025, eq. 8. d is the perturbation that the method's attack found; by Taylor the
    difference is :math:`2 d^T \nabla f`, so input gradients are matched along d without a double
    backward. As in the authors' code :math:`x - d` is not clamped to [0, 1], the divergence is
    averaged over the batch, and the weight grows linearly with the epochs.
    """

    symbol: ClassVar[str] = "mu"
    needs_attack: ClassVar[bool] = True

    domains: Literal["both"] = Field("both", description="always both sides of the image")
    ramp: bool = Field(True, description="multiply the weight by the share of epochs done")
    surrogate: Literal["kl", "l1", "l2"] = Field(
        "kl", description="distance of the two differences; l1 and l2 are means over classes"
    )

    def loss(self, batch: Batch, modules: nn.ModuleDict) -> Tensor:
        """Distance of the changes, in nats per example for ``kl``."""
        moved, mirrored = batch.adversarial, batch.mirrored
        student = moved.student.logits - mirrored.student.logits
        teacher = moved.teacher.logits - mirrored.teacher.logits
        return (batch.progress if self.ramp else 1.0) * self._distance(student, teacher)

    def _distance(self, student: Tensor, teacher: Tensor) -> Tensor:
        if self.surrogate == "kl":
            return kl_to_teacher(student, teacher)
        difference = student - teacher
        return (difference.abs() if self.surrogate == "l1" else difference.square()).mean()
