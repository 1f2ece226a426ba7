"""The EMPIRICAL local-linearity bound, image by image: on how many do the measured sides agree?"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from trainables.attacks import Objective, cross_entropy_objective, pgd
from trainables.data import Split
from trainables.diagnostics.gradients import input_gradients
from trainables.models import Network, module_mode
from trainables.threat import ThreatModel

ROUNDING = 1e-5  # nats; sums of float32 that hold with equality must not count as broken


@dataclass(frozen=True)
class MeasuredBound:
    r"""Both sides of KDIGA's argument (Shao et al., 2021) per image ``(count,)``, in nats.

    .. math:: |\ell_S(x+\delta) - \ell_T(x+\delta)| \le |\ell_S(x) - \ell_T(x)|
        + \epsilon \|\nabla \ell_S - \nabla \ell_T\|_* + \gamma_S + \gamma_T

    for every perturbation of the threat model, with the dual norm (L1 for Linf, L2 for L2).

    EMPIRICAL: the gammas are found by ascent and so are lower estimates, as is the left side. That
    the measured sides agree certifies nothing. The terms are measured apart from each other: were
    the gammas tried at the points of the left side, every image would agree by arithmetic alone.

    Attributes:
        left: largest difference of the losses that an ascent found.
        loss_gap: ``|l_S(x) - l_T(x)|``.
        gradient_term: epsilon times the dual norm of the gradients' difference.
        student_gamma: local linearity measure of the student: the largest remainder met on ascents
            on it and on its negative, so never far below one ascent on its size.
        teacher_gamma: of the teacher.
        student_maximum: largest loss of the student that an ascent found.
        teacher_maximum: of the teacher.
    """

    left: Tensor
    loss_gap: Tensor
    gradient_term: Tensor
    student_gamma: Tensor
    teacher_gamma: Tensor
    student_maximum: Tensor
    teacher_maximum: Tensor

    @property
    def right(self) -> Tensor:
        """Sum of the four terms."""
        return self.loss_gap + self.gradient_term + self.student_gamma + self.teacher_gamma

    @property
    def holds(self) -> Tensor:
        """For which images the measured difference stays within the right side."""
        return self.left <= self.right + ROUNDING

    @property
    def maximum_holds(self) -> Tensor:
        """For which images the student's worst loss is within the teacher's plus the terms."""
        return self.student_maximum <= self.teacher_maximum + self.right + ROUNDING

    def scalars(self) -> dict[str, float]:
        """Means over the images, and the shares of images for which the measured sides agree."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values |= {"right": self.right, "share": self.holds, "maximum_share": self.maximum_holds}
        return {name: value.double().mean().item() for name, value in values.items()}


def measured_bound(
    student: Network,
    teacher: Network,
    split: Split,
    threat: ThreatModel,
    *,
    seed: int,
    steps: int = 50,
) -> MeasuredBound:
    """Measure both sides of the bound for every image, both networks in eval mode.

    All images go through the networks at once; give a part of a large split.

    Args:
        student: its loss is bounded.
        teacher: by its loss and the terms.
        split: images and labels.
        threat: norm and radius.
        seed: of all starts.
        steps: of every ascent, each of a tenth of epsilon.
    """
    images, labels = split.images, split.labels
    own, taught = (cross_entropy_objective(n, labels) for n in (student, teacher))
    slopes = [input_gradients(n, images, labels) for n in (student, teacher)]
    dual = 1 if threat.norm == "linf" else 2
    slope_gap = torch.linalg.vector_norm((slopes[0] - slopes[1]).flatten(1), ord=dual, dim=1)
    start = threat.random_start(images, torch.Generator(images.device).manual_seed(seed))

    def worst(objective: Objective) -> Tensor:
        return largest(objective, images, threat, start=start, steps=steps)

    def furthest(objective: Objective) -> Tensor:  # from zero, on either side
        return torch.maximum(worst(objective), worst(lambda moved: -objective(moved)))

    with module_mode(student, training=False), module_mode(teacher, training=False):
        with torch.no_grad():
            losses = own(images), taught(images)
        return MeasuredBound(
            left=furthest(lambda moved: own(moved) - taught(moved)),
            loss_gap=(losses[0] - losses[1]).abs(),
            gradient_term=threat.epsilon * slope_gap,
            student_gamma=furthest(_remainder(own, images, losses[0], slopes[0])),
            teacher_gamma=furthest(_remainder(taught, images, losses[1], slopes[1])),
            student_maximum=worst(own),
            teacher_maximum=worst(taught),
        )


def _remainder(loss: Objective, images: Tensor, values: Tensor, slopes: Tensor) -> Objective:
    """What a loss adds to its tangent plane, signed."""
    return lambda moved: loss(moved) - values - ((moved - images) * slopes).flatten(1).sum(dim=1)


def largest(
    objective: Objective, images: Tensor, threat: ThreatModel, *, start: Tensor, steps: int
) -> Tensor:
    """Largest value per image ``(batch,)`` met on an ascent in steps of a tenth of epsilon.

    The images themselves, the start and every iterate count.
    """
    with torch.no_grad():
        best = torch.maximum(objective(images), objective(start))
    point = start
    for _ in range(steps):
        length = 0.1 * threat.epsilon
        point = pgd(objective, images, threat, step_size=length, steps=1, start=point)
        with torch.no_grad():
            best = torch.maximum(best, objective(point))
    return best
