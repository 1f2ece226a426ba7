"""Maps between feature widths."""

from typing import Literal

from torch import nn

ProjectorKind = Literal["none", "linear", "random_orthogonal"]


def create_projector(kind: ProjectorKind, student_width: int, teacher_width: int) -> nn.Module:
    """A map of the last dimension from student to teacher width.

    ``linear`` is trained with the student (a 1x1 convolution; it can absorb part of the loss),
    ``random_orthogonal`` keeps its initial values, which have orthonormal rows or columns.

    Raises:
        ValueError: if the widths differ and there is no projector.
    """
    if kind == "none":
        if student_width != teacher_width:
            raise ValueError(
                f"channel moments need equal widths, but the student has {student_width} channels "
                f"and the teacher {teacher_width}; set projector to linear or "
                "random_orthogonal, or axis to sample"
            )
        return nn.Identity()
    linear = nn.Linear(student_width, teacher_width, bias=False)
    nn.init.orthogonal_(linear.weight)
    linear.requires_grad_(kind == "linear")
    return linear
