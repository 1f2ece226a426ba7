"""The lambda term of KDIGA: input gradients, exactly or by finite differences."""

from typing import ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from trainables.alignments.base import Alignment, Domains
from trainables.methods.batch import Batch, View
from trainables.models.network import (
    at_least_float32,
    computing_in,
    module_mode,
    statistics_of_now,
    untracked,
)
from trainables.workers.ranks import Ranks

Distance = Literal["l2", "l2_squared", "cosine"]


class InputGradientAlignment(Alignment):
    r"""The distance between the input gradients of student and teacher (Shao et al., 2021).

    .. math:: L_{IGA} = \frac1B \sum_i \|\nabla_x CE(f_S(x_i), y_i) - \nabla_x CE(f_T(x_i), y_i)\|_2

    Differs from the authors' code, whose weight depends on the batch size: they take one norm over
    the whole batch of the gradient of the batch-mean loss, divided by B. ``scale: shao2021``
    computes that.
    """

    symbol: ClassVar[str] = "lambda"

    domains: Domains = Field(
        "clean", description="images at which gradients are compared; clean in the authors' code"
    )
    distance: Distance = Field(
        "l2", description="per sample: L2 norm of the difference, its square, or 1 - cosine"
    )
    batch_norm: Literal["train", "eval"] = Field(
        "train",
        description="mode of the student's BatchNorm: train shares the forward pass, as the "
        "authors do, but couples the samples of a batch (14 % leakage at batch 8); eval "
        "costs a second pass and has none",
    )
    scale: Literal["per_sample", "shao2021"] = Field(
        "per_sample",
        description="mean of per-sample norms, or the authors' batch-dependent form (l2 only)",
    )
    mode: Literal["exact", "finite_difference"] = Field(
        "exact",
        description="exact: a double backward, which fused attention, compiled graphs and some "
        "activations do not have; finite_difference: two more passes along the gap, in float32; "
        "the same gradient for smooth activations, for ReLU that of a smoothed gap",
    )
    step: float = Field(
        0.1,
        gt=0,
        le=1,
        description="length of the finite difference for the image with the largest gap, L2, in "
        "units of images in [0, 1]",
    )

    @model_validator(mode="after")
    def _scale_fits_distance(self) -> Self:
        if self.scale == "shao2021" and self.distance != "l2":
            raise ValueError(
                f"scale 'shao2021' is a norm over the whole batch, so distance must be 'l2', "
                f"got {self.distance!r}; allowed with scale 'per_sample': l2, l2_squared, cosine"
            )
        return self

    @property
    def needs_input_gradient(self) -> bool:
        """Always."""
        return True

    @property
    def needs_double_backward(self) -> bool:
        """In the exact mode."""
        return self.mode == "exact"

    @override
    def loss(self, batch: Batch, modules: nn.ModuleDict) -> Tensor:
        """The term in nats per unit of image distance, averaged over the domains."""
        views = batch.views(self.domains)
        return torch.stack([self._gap(view, batch.labels) for view in views]).mean()

    def _gap(self, view: View, labels: Tensor) -> Tensor:
        teacher = view.teacher_gradient(labels)
        if self.mode == "exact":
            student = self._student_gradient(view, labels, exact=True)
            return self._distance(student, teacher, view.ranks)
        return self._finite_difference(view, labels, teacher)

    def _distance(self, student: Tensor, teacher: Tensor, ranks: Ranks) -> Tensor:
        student, teacher = student.flatten(1), teacher.flatten(1)
        if self.distance == "cosine":
            cosines: Tensor = F.cosine_similarity(student, teacher)
            return (1 - cosines).mean()
        if self.distance == "l2_squared":
            return (student - teacher).square().sum(dim=1).mean()
        norms: Tensor = torch.linalg.vector_norm(student - teacher, dim=1)
        if self.scale == "shao2021":
            whole_batch: Tensor = torch.linalg.vector_norm(ranks.gathered(norms))
            return whole_batch / (ranks.count * len(student)) ** 2
        return norms.mean()

    def _student_gradient(self, view: View, labels: Tensor, *, exact: bool) -> Tensor:
        if self.batch_norm == "train":
            images, logits = view.images, view.student.logits
        else:
            images = view.images.detach().requires_grad_()
            network = view.student_network
            with module_mode(network, training=False), statistics_of_now(network):
                logits = at_least_float32(network(images))
        losses = F.cross_entropy(logits, labels, reduction="sum")
        gradient: Tensor
        (gradient,) = torch.autograd.grad(losses, images, create_graph=exact, retain_graph=True)
        return gradient

    def _finite_difference(self, view: View, labels: Tensor, teacher: Tensor) -> Tensor:
        r"""The distance, with the gradient of a central difference.

        With :math:`u = \partial L / \partial g_S` the term's gradient in the parameters is that of
        :math:`[CE(x + hu) - CE(x - hu)] / 2h`.

        Where activations have kinks, a double backward sees none of them and the difference sees
        those within h of the image: on small ReLU networks the two gradients have a cosine of 0.4
        to 0.8 at h 0.1, and less at smaller h, where a kink that is hit counts 1 / h
        (docs/loss.md).
        """
        student = self._student_gradient(view, labels, exact=False).detach().requires_grad_()
        with torch.enable_grad():
            distance = self._distance(student, teacher, view.ranks)
        (direction,) = torch.autograd.grad(distance, student)
        longest = view.ranks.largest(torch.linalg.vector_norm(direction.flatten(1), dim=1).max())
        move = self.step * direction / longest.clamp_min(torch.finfo(direction.dtype).tiny)
        ahead, behind = (
            self._loss_at(view, view.images.detach() + sign * move, labels) for sign in (1, -1)
        )
        slope = longest * (ahead - behind) / (2 * self.step)
        value: Tensor = distance.detach() + slope - slope.detach()
        return value

    def _loss_at(self, view: View, images: Tensor, labels: Tensor) -> Tensor:
        network = view.student_network
        training = network.training and self.batch_norm == "train"
        steady = untracked(network) if training else statistics_of_now(network)
        whole = computing_in(None, network)  # a difference of near passes loses half its bits
        with module_mode(network, training=training), steady, whole:
            loss: Tensor = F.cross_entropy(network(images), labels, reduction="sum")
        return loss
