"""Logit distillation next to another loss: the alpha term of the variance-gap paper."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from typing_extensions import override

from trainables.alignments.base import Alignment
from trainables.methods.batch import Batch, View
from trainables.methods.divergence import REDUCTION, Reduction, kl_to_teacher


class LogitAlignment(Alignment):
    r""":math:`L_{KD} = \tau^2\,KL(p_T^\tau \| p_S^\tau)` (Hinton et al., 2015).

    The alpha term of Dong et al., ECCV 2024.

    Where the paper evaluates teacher and student is not known, so both are options. The default
    compares both networks on the adversarial images, as AdaAD and IAD-II do: on clean images alone
    the term says nothing about robustness.
    """

    symbol: ClassVar[str] = "alpha"

    domains: Literal["clean", "adversarial", "both"] = Field(
        "adversarial", description="images that the student sees"
    )
    temperature: float = Field(1.0, gt=0, le=100, description="tau, softens both distributions")
    teacher_sees: Literal["same", "clean"] = Field(
        "same",
        description="images that the teacher sees: the student's, or always clean (ARD, RSLAD)",
    )
    reduction: Reduction = Field("batchmean", description=REDUCTION)

    @override
    def loss(self, batch: Batch, modules: nn.ModuleDict) -> Tensor:
        """Divergence in nats per example, averaged over the domains."""
        views = batch.views(self.domains)
        return torch.stack([self._divergence(view, batch) for view in views]).mean()

    def _divergence(self, view: View, batch: Batch) -> Tensor:
        teacher = (batch.clean if self.teacher_sees == "clean" else view).teacher.logits
        return kl_to_teacher(view.student.logits, teacher, self.temperature, self.reduction)
