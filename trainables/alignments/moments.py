"""How far the second moments of two networks' features are apart."""

from abc import ABC
from typing import Annotated, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from trainables.alignments.base import Alignment, Pair
from trainables.alignments.projector import Projection, ProjectorKind, create_projection
from trainables.alignments.second_moment import Axis, Pool, RunningMoment, second_moment
from trainables.methods.batch import Batch, View
from trainables.models.network import Output
from trainables.models.taps import Tap
from trainables.workers.ranks import Ranks

TappedLayer = Annotated[int, Field(lt=0)] | str
Source = Literal["features", "logits", "probabilities"]


class MomentAlignment(Alignment, ABC):
    """Distance of a second moment of the student's features from the teacher's.

    The paper (Dong et al., ECCV 2024) leaves layer, pooling, centring, normalisation, axis and
    projection open; each is a field.
    """

    source: Source = Field(
        "features",
        description="what the moment is of: feature maps, or the network's logits or probabilities "
        "(one position, as many channels as classes; taps are then not read)",
    )
    taps: tuple[TappedLayer | tuple[TappedLayer, TappedLayer], ...] = Field(
        (-1,),
        min_length=1,
        description="feature maps, counted from the end (-1 is the last one) or by a module's "
        "dotted name; a pair is the student's and the teacher's",
    )
    pool: Pool = Field(
        "average",
        description="average: one vector per image; spatial: every position counts as a sample "
        "(channel axis) or as further features (sample axis)",
    )
    axis: Axis = Field(
        "channel",
        description="channel: channels x channels, needs equal widths or a projector; "
        "sample: batch x batch, needs neither; position: positions x positions of each image, "
        "needs equally many positions",
    )
    centered: bool = Field(False, description="subtract the mean over the samples first")
    unbiased: bool = Field(False, description="divide by n - 1 instead of n; channel axis only")
    unit_rows: bool = Field(
        False, description="scale each sample's vector to length 1: directions alone are compared"
    )
    normalize: Literal["teacher", "frobenius", "none"] = Field(
        "teacher",
        description="teacher: divide the distance by the teacher's squared norm (or norm), so that "
        "the weight does not depend on the scale of its features; frobenius: scale both moments to "
        "norm 1, so that only their shapes are compared; none: the plain distance",
    )
    distance: Literal["squared", "norm"] = Field(
        "squared", description="squared Frobenius norm of the difference, or the norm itself"
    )
    projector: ProjectorKind = Field(
        "none",
        description="map to a common width before the channel moment: none; a trained linear map, "
        "or a fixed random one with orthonormal rows or columns, of the student; the teacher's "
        "principal components",
    )
    running: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of the past in running moments, for batches too small for a moment of "
        "their own (channel axis only); 0: each batch by itself",
    )

    @model_validator(mode="after")
    def _options_fit_the_axis(self) -> Self:
        if self.axis != "channel" and (self.running or self.unbiased):
            raise ValueError(
                f"running and unbiased belong to axis 'channel', got axis {self.axis!r}; set "
                "running to 0 and unbiased to false, or axis to 'channel'"
            )
        if self.axis == "position" and self.source != "features":
            raise ValueError(
                f"axis 'position' needs source 'features', got {self.source!r}, which has a "
                "single position; allowed with it: channel, sample"
            )
        return self

    @property
    def layers(self) -> tuple[Tap, ...]:
        """The tapped layers."""
        return self.taps if self.source == "features" else ()

    def modules(self, pair: Pair) -> nn.ModuleDict:
        """Projections and running moments by tapped layer.

        Raises:
            ValueError: if channel moments of unequal widths are to be compared without a projector,
                or position moments of unequal numbers of positions.
        """
        modules = nn.ModuleDict()
        if self.projector != "pca":  # all others ask for shapes alone
            pair = pair._replace(images=pair.images[:1])
        for layer in self.layers:
            features = pair.features(layer)
            if self.axis == "position":
                _refuse_unequal_positions(*features)
            if self.axis == "channel":
                projection = create_projection(self.projector, *features)
                modules[f"projection{_key(layer)}"] = projection
                width = projection.teacher(features[1][:1]).shape[2]
                self._add_running(modules, _key(layer), width)
        if self.source != "features" and self.axis == "channel":
            classes = pair.teacher.outputs(pair.images[:1]).logits.shape[1]
            self._add_running(modules, self.source, classes)
        return modules

    def _add_running(self, modules: nn.ModuleDict, place: str, width: int) -> None:
        if self.running:
            for who in ("student", "teacher"):
                for domain in range(2):
                    modules[f"{who}{place}_{domain}"] = RunningMoment(width, self.running)

    def loss(self, batch: Batch, modules: nn.ModuleDict) -> Tensor:
        """Mean distance over domains and layers, without unit unless ``normalize: none``."""
        places = self.layers or (self.source,)
        distances = [
            self._distance(view, place, modules, domain)
            for domain, view in enumerate(batch.views(self.domains))
            for place in places
        ]
        return torch.stack(distances).mean()

    def _distance(self, view: View, place: Tap, modules: nn.ModuleDict, domain: int) -> Tensor:
        outputs = {"student": view.student, "teacher": view.teacher}
        moments = []
        with torch.autocast(view.images.device.type, enabled=False):  # moments lose half precision
            for who, output in outputs.items():
                moment = self._moment(output, place, modules, who, ranks=view.ranks)
                running = f"{who}{_key(place)}_{domain}"
                moments.append(modules[running](moment) if running in modules else moment)
            return self._gap(*moments)

    def _moment(
        self, output: Output, place: Tap, modules: nn.ModuleDict, who: str, *, ranks: Ranks
    ) -> Tensor:
        values = self._values(output, place)
        if f"projection{_key(place)}" in modules:
            projection = modules[f"projection{_key(place)}"]
            assert isinstance(projection, Projection)
            values = getattr(projection, who)(values)
        return second_moment(
            values,
            axis=self.axis,
            pool=self.pool,
            centered=self.centered,
            unbiased=self.unbiased,
            unit_rows=self.unit_rows,
            ranks=ranks,
        )

    def _values(self, output: Output, place: Tap) -> Tensor:
        if self.source == "features":
            return output.features[place]
        logits = output.logits[:, None]
        return logits if self.source == "logits" else logits.softmax(dim=2)

    def _gap(self, moment: Tensor, target: Tensor) -> Tensor:
        tiny = torch.finfo(target.dtype).tiny
        if self.normalize == "frobenius":
            moment = moment / _norm(moment).clamp_min(tiny)
            target = target / _norm(target).clamp_min(tiny)
        squared = (moment - target).square().sum()
        scale = target.square().sum().clamp_min(tiny) if self.normalize == "teacher" else 1.0
        # the norm by vector_norm: its gradient at zero is zero, that of a square root is not
        return (
            squared / scale if self.distance == "squared" else _norm(moment - target) / scale**0.5
        )


def _key(place: Tap) -> str:
    both = place if isinstance(place, tuple) else (place,)
    # PyTorch allows no dots in the name of a module
    return "=".join(map(str, both)).replace(".", "/")


def _norm(moment: Tensor) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(moment)
    return norm


def _refuse_unequal_positions(student: Tensor, teacher: Tensor) -> None:
    if student.shape[1] != teacher.shape[1]:
        raise ValueError(
            f"position moments need equally many positions, but the student's feature map has "
            f"{student.shape[1]} and the teacher's {teacher.shape[1]}; tap other layers, or set "
            "axis to channel or sample"
        )
