"""Introspective adversarial distillation (Zhu et al., ICLR 2022): trust the teacher by its truth.

IAD-I builds on ARD, IAD-II on distillation from two teachers (AKD2), AdaIAD on AdaAD's attack.
"""

from abc import ABC
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from trainables.attacks import Objective, cross_entropy_objective
from trainables.methods.base import Conventions, Method
from trainables.methods.batch import Batch, View
from trainables.methods.divergence import kl_from_moving_teacher, kl_per_image, kl_to_teacher
from trainables.models.network import Network


class Introspection(Method, ABC):
    r"""Trust :math:`w_i = p_T(x'_i)[y_i]^\beta` in the teacher, the rest in oneself.

    Zhu et al., 2022, eq. 5.
    """

    trust_exponent: float = Field(
        0.1, ge=0, description="beta of w = p_T(x')[y] ** beta; at 0 the teacher is always trusted"
    )
    begin: float = Field(
        0.3, ge=0, le=1, description="share of the epochs after which introspection begins"
    )
    temperature: float = Field(1.0, gt=0, le=100, description="tau of the teacher's divergence")
    detach_clean: bool = Field(
        False, description="treat the student's clean prediction as a constant; the code does not"
    )

    @property
    def needs_teacher(self) -> bool:
        """Always."""
        return True

    def introspects(self, batch: Batch) -> bool:
        """Whether training is past ``begin``."""
        return batch.progress > self.begin

    def trust(self, batch: Batch) -> Tensor:
        """The weights w ``(batch,)``, in [0, 1], constants."""
        probabilities = batch.adversarial.teacher.logits.softmax(dim=1)
        true = probabilities.gather(1, batch.labels[:, None]).squeeze(1)
        return true**self.trust_exponent

    def introspection(self, batch: Batch) -> Tensor:
        """Mean of (1 - w) KL(p_S(x) || p_S(x')), in nats."""
        clean = batch.clean.student.logits
        target = clean.detach() if self.detach_clean else clean
        divergence = kl_per_image(batch.adversarial.student.logits, target)
        return ((1 - self.trust(batch)) * divergence).mean()


class IntrospectiveArd(Introspection, ABC):
    r"""ARD with introspection, eq. 6 in the form of the authors' code.

    .. math:: a\,[\tau^2 KL(p_T^\tau(x) \| p_S^\tau(x'))
              + \overline{(1 - w) KL(p_S(x) \| p_S(x'))}] + (1 - a)\,CE(f_S(x), y)
    """

    soft_weight: float = Field(
        1.0, ge=0, le=1, description="a, weight of soft targets against the labels"
    )
    trust_teacher_term: bool = Field(
        False, description="multiply the teacher's divergence by w, as the paper's text suggests"
    )

    def outer(self, batch: Batch) -> Tensor:
        """Loss in nats per example."""
        loss = self.soft_weight * self._soft(batch)
        if self.soft_weight < 1:
            hard = self.cross_entropy(batch.clean.student.logits, batch.labels)
            loss = loss + (1 - self.soft_weight) * hard
        return loss

    def _soft(self, batch: Batch) -> Tensor:
        student, teacher = batch.adversarial.student.logits, batch.clean.teacher.logits
        divergence = self.temperature**2 * kl_per_image(student, teacher, self.temperature)
        if not self.introspects(batch):
            return divergence.mean()
        if self.trust_teacher_term:
            divergence = self.trust(batch) * divergence
        return divergence.mean() + self.introspection(batch)


class IntrospectiveDistillation1(IntrospectiveArd):
    """IAD-I: the attack maximises cross-entropy.

    Conventions of the authors' code: a 1, beta 0.1, introspection after 60 of 200 epochs, the
    teacher's term is not multiplied by w, batchmean, uniform start, student in train mode during
    the attack.
    """

    name: Literal["iad1"] = "iad1"
    conventions: ClassVar[Conventions] = {"attack": {"start": "uniform", "batch_norm": "train"}}

    @override
    def inner(
        self, student: Network, teacher: Network | None, clean: View, labels: Tensor
    ) -> Objective:
        """Cross-entropy of the true label."""
        return cross_entropy_objective(student, labels)


class AdaptiveIntrospectiveDistillation(IntrospectiveArd):
    """AdaIAD (Huang et al., CVPR 2023): IAD-I on images that AdaAD's attack found.

    Conventions of the authors' code: tau 30, the rest as IAD-I; start ``x + 0.001 N(0, 1)``,
    student in eval mode during the attack.
    """

    name: Literal["adaiad"] = "adaiad"
    conventions: ClassVar[Conventions] = {"attack": {"start": "gaussian", "batch_norm": "eval"}}

    temperature: float = Field(30.0, gt=0, le=100, description="tau of the teacher's divergence")

    @override
    def inner(
        self, student: Network, teacher: Network | None, clean: View, labels: Tensor
    ) -> Objective:
        """Divergence of the two networks at the attacked image."""
        return kl_from_moving_teacher(student, teacher)


class IntrospectiveDistillation2(Introspection):
    r"""IAD-II: a robust and a clean teacher, and introspection.

    .. math:: (1 - a_1 - a_2)\,CE(f_S(x'), y)
              + a_1 \tau^2\,[\overline{w\,KL(p_T(x') \| p_S(x'))}
                             + \overline{(1 - w) KL(p_S(x) \| p_S(x'))}]
              + a_2 \tau^2\,KL(p_{T,clean}(x') \| p_S(x'))

    Conventions of the code: a_1 0.5, a_2 0.25, introspection after 40 of 200 epochs.
    """

    name: Literal["iad2"] = "iad2"
    conventions: ClassVar[Conventions] = {"attack": {"start": "uniform", "batch_norm": "train"}}

    begin: float = Field(0.2, ge=0, le=1, description="share of the epochs before introspection")
    robust_weight: float = Field(0.5, ge=0, le=1, description="a_1, weight of the robust teacher")
    clean_weight: float = Field(0.25, ge=0, le=1, description="a_2, weight of the clean teacher")

    @property
    def needs_clean_teacher(self) -> bool:
        """Unless it has no weight."""
        return self.clean_weight > 0

    @override
    def inner(
        self, student: Network, teacher: Network | None, clean: View, labels: Tensor
    ) -> Objective:
        """Cross-entropy of the true label."""
        return cross_entropy_objective(student, labels)

    def outer(self, batch: Batch) -> Tensor:
        """Loss in nats per example."""
        view = batch.adversarial
        hard_weight = 1 - self.robust_weight - self.clean_weight
        loss = hard_weight * self.cross_entropy(view.student.logits, batch.labels)
        loss = loss + self.robust_weight * self._robust(batch)
        if self.clean_weight > 0:
            target = view.clean_teacher.logits
            loss = loss + self.clean_weight * kl_to_teacher(
                view.student.logits, target, self.temperature
            )
        return loss

    def _robust(self, batch: Batch) -> Tensor:
        view, tau = batch.adversarial, self.temperature
        divergence = kl_per_image(view.student.logits, view.teacher.logits, tau)
        if not self.introspects(batch):
            return tau**2 * divergence.mean()
        trusted: Tensor = torch.mean(self.trust(batch) * divergence)
        return tau**2 * (trusted + self.introspection(batch))
