"""Maps that bring the features of student and teacher to one width."""

from typing import Literal

import torch
from torch import Tensor, nn

ProjectorKind = Literal["none", "linear", "random_orthogonal", "pca"]


class Projection(nn.Module):
    """A map of the last dimension for the student, and one for the teacher."""

    def __init__(self, student: nn.Module, teacher: nn.Module) -> None:
        super().__init__()
        self.student, self.teacher = student, teacher


def create_projection(kind: ProjectorKind, student: Tensor, teacher: Tensor) -> Projection:
    """Maps to a common width.

    ``linear`` maps the student and is trained with it (a 1x1 convolution; it can absorb part of the
    loss). ``random_orthogonal`` maps the student and keeps its initial values, which have
    orthonormal rows or columns. ``pca`` maps the teacher, without the mean, to as many of its
    principal components as the student has channels, and keeps them.

    Args:
        kind: which map.
        student: features ``(count, positions, channels)``.
        teacher: features ``(count, positions, channels)``; the principal components are theirs.

    Raises:
        ValueError: if the widths differ and there is no projector, or too few images or channels
            for the components.
    """
    widths = student.shape[2], teacher.shape[2]
    if kind == "none":
        return _unprojected(*widths)
    if kind == "pca":
        return Projection(nn.Identity(), _principal_components(teacher, widths[0]))
    linear = nn.Linear(*widths, bias=False)
    nn.init.orthogonal_(linear.weight)
    linear.requires_grad_(kind == "linear")
    return Projection(linear, nn.Identity())


def _unprojected(student_width: int, teacher_width: int) -> Projection:
    if student_width != teacher_width:
        raise ValueError(
            f"channel moments need equal widths, but the student has {student_width} channels "
            f"and the teacher {teacher_width}; set projector to linear, random_orthogonal or pca, "
            "or axis to sample"
        )
    return Projection(nn.Identity(), nn.Identity())


def _principal_components(features: Tensor, width: int) -> nn.Linear:
    count, channels = features[:, 0].shape
    if width > min(count, channels):
        raise ValueError(
            f"projector pca keeps as many of the teacher's components as the student has channels, "
            f"so the student may have at most {min(count, channels)} (teacher channels: "
            f"{channels}, images: {count}), got {width}; set projector to linear or "
            "random_orthogonal"
        )
    pooled = features.mean(dim=1).double()
    components = torch.linalg.svd(pooled - pooled.mean(dim=0), full_matrices=False).Vh[:width]
    linear = nn.Linear(channels, width, bias=False)
    linear.weight.data.copy_(components)
    return linear.requires_grad_(False)
