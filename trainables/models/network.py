"""A classifier on images in [0, 1]: normalisation inside, logits and feature maps out of one pass."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Output(NamedTuple):
    """What a network says of a batch."""

    logits: Tensor
    """``(batch, classes)``, float32."""
    features: dict[int, Tensor]
    """``(batch, positions, channels)`` by tapped layer, float32."""

    def detach(self) -> "Output":
        """The same numbers without a graph."""
        return Output(self.logits.detach(), {layer: feature.detach() for layer, feature in self.features.items()})


class Network(nn.Module):
    """Wraps a timm model so that the threat model lives in image space (Carlini et al., 2019: normalise inside)."""

    mean: Tensor
    std: Tensor

    def __init__(self, model: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.model = model
        # not persistent: a checkpoint holds what was trained, the config holds the normalisation
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(batch, classes)`` of images ``(batch, channels, height, width)`` in [0, 1]."""
        return self.model((images - self.mean) / self.std)

    def outputs(self, images: Tensor, layers: Sequence[int] = ()) -> Output:
        """Logits and feature maps from one pass.

        Args:
            images: ``(batch, channels, height, width)`` in [0, 1].
            layers: timm's intermediates counted from the end, so -1 is the last one.

        Raises:
            ValueError: if the model has no such layer.
        """
        if not layers:
            return Output(self(images).float(), {})
        in_depth_order = sorted(set(layers))
        try:
            final, maps = self.model.forward_intermediates(
                (images - self.mean) / self.std, indices=in_depth_order, output_fmt="NCHW"
            )
        except AssertionError as error:  # timm's own check of the indices
            name = type(self.model).__name__
            raise ValueError(f"{name} has no feature layers {in_depth_order}: {error}") from None
        features = {
            layer: feature_map.flatten(2).transpose(1, 2).float()
            for layer, feature_map in zip(in_depth_order, maps, strict=True)
        }
        return Output(self.model.forward_head(final).float(), features)

    def feature_widths(self, image_shape: Sequence[int], layers: Sequence[int]) -> dict[int, int]:
        """Channels of each tapped layer, found by a dry run on one black image."""
        with module_mode(self, training=False), torch.no_grad():
            black = torch.zeros(1, *image_shape, device=self.mean.device)
            features = self.outputs(black, layers).features
        return {layer: feature.shape[2] for layer, feature in features.items()}


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


def allow_double_backward(network: nn.Module) -> None:
    """Replace what has no second derivative: fused attention (the plain form computes the same values)."""
    for module in network.modules():
        if hasattr(module, "fused_attn"):
            module.fused_attn = False
