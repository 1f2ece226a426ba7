"""The lambda term of KDIGA: input gradients, with a true double backward through the student."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from trainables.alignments.base import Alignment, Domains
from trainables.methods.base import Batch, View
from trainables.models.network import module_mode

Distance = Literal["l2", "l2_squared", "cosine"]


class InputGradientAlignment(Alignment):
    r""":math:`L_{IGA} = \frac1B \sum_i \|\nabla_x CE(f_S(x_i), y_i) - \nabla_x CE(f_T(x_i), y_i)\|_2` (Shao et al., 2021).

    Differs from the authors' code, whose weight depends on the batch size: they take one norm over the whole batch of
    the gradient of the batch-mean loss, divided by B. ``scale: shao2021`` computes that.
    """

    symbol: ClassVar[str] = "lambda"

    domains: Domains = Field("clean", description="images at which gradients are compared; clean in the authors' code")
    distance: Distance = Field(
        "l2", description="per sample: L2 norm of the difference, its square, or 1 - cosine"
    )
    batch_norm: Literal["train", "eval"] = Field(
        "train",
        description="mode of the student's BatchNorm: train shares the forward pass, as the authors do, but couples "
        "the samples of a batch (14 % leakage at batch 8); eval costs a second pass and has none",
    )
    scale: Literal["per_sample", "shao2021"] = Field(
        "per_sample", description="mean of per-sample norms, or the authors' batch-dependent form (l2 only)"
    )

    @property
    def needs_input_gradient(self) -> bool:
        """Always."""
        return True

    def loss(self, batch: Batch, projectors: nn.ModuleDict) -> Tensor:
        """The term in nats per unit of image distance, averaged over the domains."""
        views = batch.views(self.domains)
        return torch.stack([self._distance(view, batch.labels) for view in views]).mean()

    def _distance(self, view: View, labels: Tensor) -> Tensor:
        student = self._student_gradient(view, labels).flatten(1)
        teacher = view.teacher_gradient(labels).flatten(1)
        if self.scale == "shao2021":
            return torch.linalg.vector_norm(student - teacher) / len(labels) ** 2
        if self.distance == "cosine":
            return (1 - F.cosine_similarity(student, teacher)).mean()
        if self.distance == "l2_squared":
            return (student - teacher).square().sum(dim=1).mean()
        return torch.linalg.vector_norm(student - teacher, dim=1).mean()

    def _student_gradient(self, view: View, labels: Tensor) -> Tensor:
        if self.batch_norm == "train":
            images, logits = view.images, view.student.logits
        else:
            images = view.images.detach().requires_grad_()
            with module_mode(view.student_network, training=False):
                logits = view.student_network(images).float()
        losses = F.cross_entropy(logits, labels, reduction="sum")
        (gradient,) = torch.autograd.grad(losses, images, create_graph=True)
        return gradient
