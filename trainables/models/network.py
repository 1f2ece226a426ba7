"""A classifier on images in [0, 1]: normalisation inside, logits and features in one pass."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm


class Output(NamedTuple):
    """What a network says of a batch."""

    logits: Tensor
    """``(batch, classes)``, at least float32."""
    features: dict[int, Tensor]
    """``(batch, positions, channels)`` by tapped layer, at least float32."""

    def detach(self) -> "Output":
        """The same numbers without a graph."""
        return Output(
            self.logits.detach(),
            {layer: feature.detach() for layer, feature in self.features.items()},
        )


class Network(nn.Module):
    """A timm model that normalises inside, so that the threat model lives in image space.

    Carlini et al., 2019.
    """

    model: Any  # a timm model: besides nn.Module, forward_intermediates and forward_head
    mean: Tensor
    std: Tensor

    def __init__(self, model: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.model = model
        # not persistent: a checkpoint holds what was trained, the config holds the normalisation
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)
        self.resolution: int | None = None
        """Pixels of the side to which images are resized inside; None leaves them as they are."""

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(batch, classes)`` of images ``(batch, channels, height, width)`` in [0, 1]."""
        logits: Tensor = self.model(self._standardised(images))
        return logits

    def _standardised(self, images: Tensor) -> Tensor:
        if self.resolution is not None:
            size = (self.resolution, self.resolution)
            images = F.interpolate(images, size, mode="bilinear", antialias=True)
        return (images - self.mean) / self.std

    def outputs(self, images: Tensor, layers: Sequence[int] = ()) -> Output:
        """Logits and feature maps from one pass.

        Args:
            images: ``(batch, channels, height, width)`` in [0, 1].
            layers: timm's intermediates counted from the end, so -1 is the last one.

        Raises:
            ValueError: if the model has no such layer.
        """
        if not layers:
            return Output(at_least_float32(self(images)), {})
        in_depth_order = sorted(set(layers))
        try:
            final, maps = self.model.forward_intermediates(
                self._standardised(images), indices=in_depth_order, output_fmt="NCHW"
            )
        except AssertionError as error:  # timm's own check of the indices
            name = type(self.model).__name__
            raise ValueError(f"{name} has no feature layers {in_depth_order}: {error}") from None
        features = {
            layer: at_least_float32(feature_map.flatten(2).transpose(1, 2))
            for layer, feature_map in zip(in_depth_order, maps, strict=True)
        }
        return Output(at_least_float32(self.model.forward_head(final)), features)

    def feature_widths(self, image_shape: Sequence[int], layers: Sequence[int]) -> dict[int, int]:
        """Channels of each tapped layer, found by a dry run on one black image."""
        with module_mode(self, training=False), torch.no_grad():
            black = torch.zeros(1, *image_shape, device=self.mean.device)
            features = self.outputs(black, layers).features
        return {layer: feature.shape[2] for layer, feature in features.items()}


def at_least_float32(values: Tensor) -> Tensor:
    """Half precision as float32, in which losses are computed; float64 stays as it is."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


@contextmanager
def module_mode(network: nn.Module, *, training: bool) -> Iterator[None]:
    """Put every module into train or eval mode, and each back into its own afterwards."""
    before = [(module, module.training) for module in network.modules()]
    network.train(training)
    try:
        yield
    finally:
        for module, mode in before:
            module.training = mode


@contextmanager
def untracked(network: nn.Module) -> Iterator[None]:
    """Let no pass inside change the running statistics of a BatchNorm layer."""
    tracking = [
        module
        for module in network.modules()
        if isinstance(module, _BatchNorm) and module.track_running_stats
    ]
    for module in tracking:
        module.track_running_stats = False
    try:
        yield
    finally:
        for module in tracking:
            module.track_running_stats = True
