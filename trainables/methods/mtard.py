"""Multi-teacher adversarial robustness distillation (Zhao et al., ECCV 2022)."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from trainables.attacks import Objective, cross_entropy_objective
from trainables.methods.base import Conventions, Method
from trainables.methods.batch import Batch, View
from trainables.methods.divergence import REDUCTION, Reduction, kl_to_teacher
from trainables.models.network import Network

RATE_DROPS = (215 / 300, 260 / 300, 285 / 300)
"""Shares of training at which the authors divide learning rate and balance rate by 10."""


class MultiTeacherDistillation(Method):
    r"""A robust teacher for adversarial images, a clean one for clean images, weights balanced.

    .. math:: w_a\,KL(p_{T}(x') \| p_S(x')) + w_n\,KL(p_{T,clean}(x) \| p_S(x))

    After every step :math:`w_n \leftarrow w_n - r (w_n - L_n / (L_a + L_n))` with
    :math:`L_k = loss_k(t) / loss_k(0)` and :math:`w_a = 1 - w_n`, so what has fallen less gets more
    weight (Zhao et al., 2022, eqs. 8-10). Conventions of the authors' code: r 0.025, divided by 10
    when the learning rate is; weights begin at 0.5; temperature 1; averaged over classes too; start
    ``x + 0.001 N(0, 1)``; student in eval mode during the attack, which maximises cross-entropy.
    """

    name: Literal["mtard"] = "mtard"
    conventions: ClassVar[Conventions] = {"attack": {"start": "gaussian", "batch_norm": "eval"}}

    balance_rate: float = Field(0.025, ge=0, le=1, description="r; at 0 both weights stay at 0.5")
    scale: float = Field(
        1.0, gt=0, description="factor of the whole loss; 10 in the authors' CIFAR-100 code"
    )
    reduction: Reduction = Field("mean", description=REDUCTION)

    @property
    def needs_teacher(self) -> bool:
        """Always."""
        return True

    @property
    def needs_clean_teacher(self) -> bool:
        """Always."""
        return True

    def initial_state(self) -> dict[str, Tensor]:
        """The clean weight, and both losses of the first step (NaN before it)."""
        unknown = torch.tensor(float("nan"))
        return {
            "clean_weight": torch.tensor(0.5),
            "first_adversarial": unknown,
            "first_clean": unknown.clone(),
        }

    @override
    def inner(
        self, student: Network, teacher: Network | None, clean: View, labels: Tensor
    ) -> Objective:
        """Cross-entropy of the true label."""
        return cross_entropy_objective(student, labels)

    def outer(self, batch: Batch) -> Tensor:
        """Weighted divergences; moves the weights for the next step."""
        view = batch.adversarial
        adversarial = kl_to_teacher(
            view.student.logits, view.teacher.logits, reduction=self.reduction
        )
        clean = kl_to_teacher(
            batch.clean.student.logits, batch.clean.clean_teacher.logits, reduction=self.reduction
        )
        state = batch.state or self.initial_state()
        weight = state["clean_weight"].to(clean.device)
        of_batch = view.ranks.mean(torch.stack([adversarial.detach(), clean.detach()]))
        batch.state.update(self._balanced(state, of_batch[0], of_batch[1], batch))
        return self.scale * ((1 - weight) * adversarial + weight * clean)

    def _balanced(
        self, state: Mapping[str, Tensor], adversarial: Tensor, clean: Tensor, batch: Batch
    ) -> dict[str, Tensor]:
        """The state after this step; no ``.item()``, which would wait for the device."""
        first_adversarial, first_clean = (
            torch.where(before.isnan(), now, before)
            for before, now in (
                (state["first_adversarial"].to(clean.device), adversarial),
                (state["first_clean"].to(clean.device), clean),
            )
        )
        tiny = torch.finfo(clean.dtype).tiny
        fallen_adversarial = adversarial / first_adversarial.clamp_min(tiny)
        fallen_clean = clean / first_clean.clamp_min(tiny)
        goal = fallen_clean / (fallen_adversarial + fallen_clean).clamp_min(tiny)
        rate = self.balance_rate * 0.1 ** sum(batch.progress > drop for drop in RATE_DROPS)
        weight = state["clean_weight"].to(clean.device)
        return {
            "clean_weight": weight - rate * (weight - goal),
            "first_adversarial": first_adversarial,
            "first_clean": first_clean,
        }
