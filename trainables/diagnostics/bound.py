"""The EMPIRICAL local-linearity bound: how much worse than its teacher can a student be?"""

from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor

from trainables.attacks import Objective, cross_entropy_objective
from trainables.data import Split
from trainables.diagnostics.linearity import (
    STEP_SIZE,
    STEPS,
    largest,
    local_linearity,
    parts,
    random_starts,
)
from trainables.models import Network, module_mode
from trainables.threat import ThreatModel

ROUNDING = 1e-5  # nats; sums of float32 that hold with equality must not count as broken


@dataclass(frozen=True)
class LinearityBound:
    r"""Both sides of KDIGA's argument (Shao et al., 2021) per image ``(count,)``, in nats.

    .. math:: |\ell_S(x+\delta) - \ell_T(x+\delta)| \le |\ell_S(x) - \ell_T(x)|
        + \epsilon \|\nabla \ell_S - \nabla \ell_T\|_* + \gamma_S + \gamma_T

    for every perturbation of the threat model, with the dual norm (L1 for Linf, L2 for L2).

    EMPIRICAL: the gammas are found by ascent and so are lower estimates, as is the left side. That
    the measured sides agree certifies nothing.

    Attributes:
        left: largest difference of the losses that an attack found.
        loss_gap: ``|l_S(x) - l_T(x)|``.
        gradient_term: epsilon times the dual norm of the gradients' difference.
        student_linearity: gamma of the student.
        teacher_linearity: gamma of the teacher.
        student_loss: largest loss of the student that an attack found.
        teacher_loss: the same of the teacher.
    """

    left: Tensor
    loss_gap: Tensor
    gradient_term: Tensor
    student_linearity: Tensor
    teacher_linearity: Tensor
    student_loss: Tensor
    teacher_loss: Tensor

    @property
    def right(self) -> Tensor:
        """Sum of the four terms."""
        return self.loss_gap + self.gradient_term + self.student_linearity + self.teacher_linearity

    @property
    def holds(self) -> Tensor:
        """For which images the measured difference stays within the right side."""
        return self.left <= self.right + ROUNDING

    @property
    def loss_holds(self) -> Tensor:
        """For which images the student's worst loss is within the teacher's plus the terms."""
        return self.student_loss <= self.teacher_loss + self.right + ROUNDING

    def scalars(self) -> dict[str, float]:
        """Means over the images, and the shares of images for which the measured sides agree."""
        means = {field.name: getattr(self, field.name).mean().item() for field in fields(self)}
        shares = {"share": self.holds, "loss_share": self.loss_holds}
        return {
            **means,
            "right": self.right.mean().item(),
            **{name: held.float().mean().item() for name, held in shares.items()},
        }

    @classmethod
    def joined(cls, batches: list[Self]) -> Self:
        """One result of many batches."""
        return cls(*(torch.cat([getattr(batch, f.name) for batch in batches]) for f in fields(cls)))


def linearity_bound(
    student: Network,
    teacher: Network,
    split: Split,
    threat: ThreatModel,
    *,
    seed: int,
    steps: int = STEPS,
    batch_size: int = 512,
) -> LinearityBound:
    """Measure both sides of the bound for every image, both networks in eval mode.

    Args:
        student: its loss is bounded.
        teacher: by its loss and the terms.
        split: images and labels.
        threat: norm and radius.
        seed: of all starts.
        steps: of every ascent.
        batch_size: images per pass.
    """
    starts = random_starts(split.images, threat, seed)
    with module_mode(student, training=False), module_mode(teacher, training=False):
        return LinearityBound.joined(
            [
                bound_of_losses(
                    cross_entropy_objective(student, labels),
                    cross_entropy_objective(teacher, labels),
                    images,
                    threat,
                    start=start,
                    steps=steps,
                )
                for images, labels, start in parts(batch_size, split.images, split.labels, starts)
            ]
        )


def bound_of_losses(
    student: Objective,
    teacher: Objective,
    images: Tensor,
    threat: ThreatModel,
    *,
    start: Tensor,
    steps: int = STEPS,
) -> LinearityBound:
    """Both sides for two losses of images ``(batch, channels, height, width)``, from one start."""
    ours, our_slope = value_and_gradient(student, images)
    theirs, their_slope = value_and_gradient(teacher, images)
    dual = 1 if threat.norm == "linf" else 2
    slopes = torch.linalg.vector_norm((our_slope - their_slope).flatten(1), ord=dual, dim=1)

    def worst(objective: Objective) -> Tensor:
        length = STEP_SIZE * threat.epsilon
        return largest(objective, images, threat, start=start, steps=steps, step_size=length)

    def difference(moved: Tensor) -> Tensor:
        return student(moved) - teacher(moved)

    linearity = [
        local_linearity(loss, images, threat, start=start, steps=steps)
        for loss in (student, teacher)
    ]
    return LinearityBound(
        left=torch.maximum(worst(difference), worst(lambda moved: -difference(moved))),
        loss_gap=(ours - theirs).abs(),
        gradient_term=threat.epsilon * slopes,
        student_linearity=linearity[0],
        teacher_linearity=linearity[1],
        student_loss=worst(student),
        teacher_loss=worst(teacher),
    )


def value_and_gradient(objective: Objective, images: Tensor) -> tuple[Tensor, Tensor]:
    """Values ``(batch,)`` and gradients of the images' shape, detached."""
    origin = images.detach().requires_grad_()
    with torch.enable_grad():
        values = objective(origin)
        (gradient,) = torch.autograd.grad(values.sum(), origin)
    return values.detach(), gradient
