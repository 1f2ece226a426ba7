"""Second moments of feature maps, and how far those of two networks are apart."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from trainables.alignments.base import Alignment
from trainables.alignments.projector import ProjectorKind, create_projector
from trainables.methods.base import Batch, View

Axis = Literal["channel", "sample"]
Pool = Literal["average", "spatial"]


class MomentAlignment(Alignment, ABC):
    """Squared Frobenius distance of a second moment of the student's features from the teacher's.

    The paper (Dong et al., ECCV 2024) leaves layer, pooling, normalisation and projection unknown;
    each is a field.
    """

    taps: tuple[Annotated[int, Field(lt=0)], ...] = Field(
        (-1,), min_length=1, description="feature maps, counted from the end; -1 is the last one"
    )
    pool: Pool = Field(
        "average",
        description="average: one vector per image; spatial: every position counts as a sample "
        "(channel axis) or as further features (sample axis)",
    )
    axis: Axis = Field(
        "channel",
        description="channel: channels x channels, needs equal widths or a projector; "
        "sample: batch x batch, needs neither",
    )
    normalize: Literal["teacher", "none"] = Field(
        "teacher",
        description="teacher: divide by the squared norm of the teacher's moment, so that the "
        "weight does not depend on the scale of its features; none: the plain squared distance",
    )
    projector: ProjectorKind = Field(
        "none",
        description="map from student to teacher width before the channel moment: none, a trained "
        "linear map, or a fixed random one with orthonormal rows or columns",
    )

    @property
    def layers(self) -> tuple[int, ...]:
        """The tapped layers."""
        return self.taps

    @property
    @abstractmethod
    def centered(self) -> bool:
        """Whether the mean over samples is taken off first."""

    def projectors(
        self, student_widths: Mapping[int, int], teacher_widths: Mapping[int, int]
    ) -> nn.ModuleDict:
        """A map per tapped layer.

        Raises:
            ValueError: if channel moments of unequal widths are to be compared without a projector.
        """
        if self.axis == "sample":
            return nn.ModuleDict()
        return nn.ModuleDict(
            {
                str(layer): create_projector(
                    self.projector, student_widths[layer], teacher_widths[layer]
                )
                for layer in self.taps
            }
        )

    def loss(self, batch: Batch, projectors: nn.ModuleDict) -> Tensor:
        """Mean distance over domains and layers, without unit under ``normalize: teacher``."""
        distances = [
            self._distance(view, layer, projectors)
            for view in batch.views(self.domains)
            for layer in self.taps
        ]
        return torch.stack(distances).mean()

    def _distance(self, view: View, layer: int, projectors: nn.ModuleDict) -> Tensor:
        student, teacher = view.student.features[layer], view.teacher.features[layer]
        if str(layer) in projectors:
            student = projectors[str(layer)](student)
        target = second_moment(teacher, axis=self.axis, pool=self.pool, centered=self.centered)
        moment = second_moment(student, axis=self.axis, pool=self.pool, centered=self.centered)
        distance = (moment - target).square().sum()
        if self.normalize == "none":
            return distance
        return distance / target.square().sum().clamp_min(torch.finfo(target.dtype).tiny)


def second_moment(features: Tensor, *, axis: Axis, pool: Pool, centered: bool) -> Tensor:
    r"""Channel moment :math:`X^T X / n` or sample moment :math:`X X^T / d` of features.

    Args:
        features: ``(batch, positions, channels)``.
        axis: which of the two.
        pool: ``average`` over positions first; ``spatial`` keeps them, as samples for the channel
            axis and as features for the sample axis.
        centered: subtract the mean over the samples first, in the features' precision
            (``E[xx] - E[x]E[x]`` loses it).

    Returns:
        ``(channels, channels)``, divided by the number of samples n, or ``(batch, batch)``, divided
        by the number of features d. The diagonal of the centred channel moment is the (biased)
        variance per channel.
    """
    if pool == "average":
        samples = features.mean(dim=1)
    else:
        samples = features.flatten(0, 1) if axis == "channel" else features.flatten(1)
    if centered:
        samples = samples - samples.mean(dim=0)
    if axis == "channel":
        return samples.T @ samples / len(samples)
    return samples @ samples.T / samples.shape[1]
