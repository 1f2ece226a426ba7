"""Taking strides out of a network, so that small images keep a map to look at."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Strided:
    """A layer that makes its input smaller, as a pass met it."""

    name: str
    stride: int
    side_in: int
    side_out: int


@dataclass(frozen=True)
class Relaxation:
    """What to do to one layer: its new stride, and zeros around its input so that the sizes fit."""

    name: str
    stride: int
    padding: tuple[int, int] = (0, 0)
    """Before and after, in both directions."""


def _add_border(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    before, after = module.zero_border  # type: ignore[misc]  # set by relax
    return (F.pad(inputs[0], (before, after, before, after)), *inputs[1:])


def strided_layers(network: nn.Module, images: Tensor) -> list[Strided]:
    """The layers with a stride that a pass runs through, in the order of execution."""
    met: list[Strided] = []
    with _watching(network, met), torch.no_grad():
        network(images)
    return met


@contextmanager
def _watching(network: nn.Module, met: list[Strided]) -> Iterator[None]:
    names = {module: name for name, module in network.named_modules()}

    def note(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if isinstance(output, Tensor) and output.dim() == 4 and output.shape[-1] > 0:
            border = sum(getattr(module, "zero_border", (0, 0)))
            side_in, side_out = inputs[0].shape[-1] - border, output.shape[-1]
            if side_out < side_in:
                met.append(Strided(names[module], stride_of(module), side_in, side_out))

    handles = [m.register_forward_hook(note) for m in names if stride_of(m) > 1]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def stride_of(module: nn.Module) -> int:
    """The stride of a convolution or a pooling layer; 1 for everything else."""
    stride = getattr(module, "stride", 1)
    if next(module.children(), None) is not None:
        return 1  # timm's blocks remember the stride of the convolution inside
    if isinstance(stride, Sequence):
        stride = stride[0] if stride else 1
    return stride if isinstance(stride, int) else 1


def halved(network: nn.Module, layer: Strided) -> Relaxation:
    """The layer with half its stride; its output is as large as before from half the image."""
    module, stride = network.get_submodule(layer.name), layer.stride // 2
    border = 0
    if _pads_by_itself(module):
        reach = module.dilation[0] * (module.kernel_size[0] - 1) + 1 - 2 * int(module.padding[0])
        border = max(0, (layer.side_out - 1) * stride + reach - layer.side_in // 2)
    return Relaxation(layer.name, stride, (border // 2, border - border // 2))


def _pads_by_itself(module: nn.Module) -> TypeGuard[nn.Conv2d]:
    """Whether the padding is what ``padding`` says; timm's ...Same layers look at the image."""
    plain = isinstance(module, nn.Conv2d) and isinstance(module.padding, tuple)
    return plain and "Same" not in type(module).__name__


def relax(network: nn.Module, relaxations: Iterable[Relaxation]) -> None:
    """Set strides; a pooling layer that has none left is taken out."""
    for module in network.modules():
        if hasattr(module, "strict_img_size"):
            module.strict_img_size = False  # type: ignore[assignment]  # timm's plain attribute
    for relaxation in relaxations:
        parent_name, _, child = relaxation.name.rpartition(".")
        parent, module = network.get_submodule(parent_name), network.get_submodule(relaxation.name)
        if not isinstance(module, nn.Conv2d) and relaxation.stride == 1:
            parent.register_module(child, nn.Identity())
        else:
            _set_stride(parent, module, relaxation)


def _set_stride(parent: Any, module: Any, relaxation: Relaxation) -> None:
    before, pair = module.stride, (relaxation.stride,) * 2
    module.stride = pair if isinstance(before, Sequence) else relaxation.stride
    if getattr(parent, "patch_size", None) == before:  # timm's PatchEmbed counts patches by it
        parent.patch_size = pair
    if any(relaxation.padding):
        module.zero_border = relaxation.padding
        module.register_forward_pre_hook(_add_border)
