"""A classifier on images in [0, 1]: normalisation inside, logits and features in one pass."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from trainables.models.taps import Layer, Tap, layer_of, logits_and_features


class Output(NamedTuple):
    """What a network says of a batch."""

    logits: Tensor
    """``(batch, classes)``, at least float32."""
    features: Mapping[Tap, Tensor]
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
    compute_type: torch.dtype | None = None
    """What passes are autocast to (see :func:`computing_in`); None: nothing is cast."""

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
        with self._autocast():
            logits: Tensor = self.model(self._standardised(images))
        return logits

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.compute_type is None:
            return nullcontext()
        return torch.autocast(self.mean.device.type, self.compute_type)

    def _standardised(self, images: Tensor) -> Tensor:
        if self.resolution is not None:
            size = (self.resolution, self.resolution)
            images = F.interpolate(images, size, mode="bilinear", antialias=True)
        return (images - self.mean) / self.std

    def outputs(self, images: Tensor, layers: Sequence[Layer] = ()) -> Output:
        """Logits and feature maps from one pass.

        Args:
            images: ``(batch, channels, height, width)`` in [0, 1].
            layers: timm's intermediates counted from the end, so -1 is the last one, or names of
                modules, as in ``named_modules``.

        Raises:
            ValueError: if the model has no such layer.
        """
        if not layers:
            return Output(at_least_float32(self(images)), {})
        with self._autocast():
            logits, features = logits_and_features(self.model, self._standardised(images), layers)
        return Output(
            at_least_float32(logits),
            {layer: at_least_float32(feature) for layer, feature in features.items()},
        )

    def tapped(self, images: Tensor, taps: Sequence[Tap], *, teacher: bool) -> Output:
        """:meth:`outputs` as one of two networks that are compared, with features by tap."""
        layers = {tap: layer_of(tap, teacher=teacher) for tap in taps}
        output = self.outputs(images, list(layers.values()))
        return Output(output.logits, {tap: output.features[layer] for tap, layer in layers.items()})

    def feature_widths(
        self, image_shape: Sequence[int], layers: Sequence[Layer]
    ) -> dict[Layer, int]:
        """Channels of each tapped layer, found by a dry run on one black image."""
        with module_mode(self, training=False), torch.no_grad():
            black = torch.zeros(1, *image_shape, device=self.mean.device)
            features = self.outputs(black, layers).features
        return {layer: features[layer].shape[2] for layer in layers}


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
def frozen(network: nn.Module) -> Iterator[None]:
    """Let no parameter require a gradient: a pass then keeps nothing for one."""
    trainable = [parameter for parameter in network.parameters() if parameter.requires_grad]
    try:
        for parameter in trainable:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in trainable:
            parameter.requires_grad_(True)


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


@contextmanager
def statistics_of_now(network: nn.Module) -> Iterator[None]:
    """Let passes inside keep the running statistics of BatchNorm as they are now.

    PyTorch's layer remembers its buffers for the backward pass, but not that later passes in train
    mode change them: the gradient of a pass in eval mode would then be that of other statistics.
    """
    before = [
        (module, name, getattr(module, name))
        for module in network.modules()
        if isinstance(module, _BatchNorm) and module.running_mean is not None
        for name in ("running_mean", "running_var")
    ]
    try:
        for module, name, statistics in before:
            setattr(module, name, statistics.clone())
        yield
    finally:
        for module, name, statistics in before:
            setattr(module, name, statistics)


@contextmanager
def computing_in(dtype: torch.dtype | None, *networks: nn.Module | None) -> Iterator[None]:
    """Let the passes inside be autocast to ``dtype`` (None: not at all); weights stay as they are.

    Only the networks' own operations are cast: losses and statistics stay in float32.
    """
    chosen = [network for network in networks if isinstance(network, Network)]
    before = [network.compute_type for network in chosen]
    for network in chosen:
        network.compute_type = dtype
    try:
        yield
    finally:
        for network, previous in zip(chosen, before, strict=True):
            network.compute_type = previous
