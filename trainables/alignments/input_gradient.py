"""The lambda term of KDIGA: input gradients, with a true double backward through the student."""

from typing import ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from trainables.alignments.base import Alignment, Domains
from trainables.methods.base import Batch, View
from trainables.models.network import at_least_float32, module_mode

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

    @override
    def loss(self, batch: Batch, projectors: nn.ModuleDict) -> Tensor:
        """The term in nats per unit of image distance, averaged over the domains."""
        views = batch.views(self.domains)
        return torch.stack([self._distance(view, batch.labels) for view in views]).mean()

    def _distance(self, view: View, labels: Tensor) -> Tensor:
        student = self._student_gradient(view, labels).flatten(1)
        teacher = view.teacher_gradient(labels).flatten(1)
        if self.distance == "cosine":
            cosines: Tensor = F.cosine_similarity(student, teacher)
            return (1 - cosines).mean()
        if self.distance == "l2_squared":
            return (student - teacher).square().sum(dim=1).mean()
        norms: Tensor = torch.linalg.vector_norm(student - teacher, dim=1)
        if self.scale == "shao2021":
            whole_batch: Tensor = torch.linalg.vector_norm(norms)
            return whole_batch / len(labels) ** 2
        return norms.mean()

    def _student_gradient(self, view: View, labels: Tensor) -> Tensor:
        if self.batch_norm == "train":
            images, logits = view.images, view.student.logits
        else:
            images = view.images.detach().requires_grad_()
            with module_mode(view.student_network, training=False):
                logits = at_least_float32(view.student_network(images))
        losses = F.cross_entropy(logits, labels, reduction="sum")
        (gradient,) = torch.autograd.grad(losses, images, create_graph=True)
        return gradient
