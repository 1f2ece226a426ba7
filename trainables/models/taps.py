"""Feature maps of a pass, by place or by name, all in one layout."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from math import isqrt
from typing import Any

from torch import Tensor, nn

from trainables.spelling import unknown

Layer = int | str
"""A feature map: timm's intermediates counted from the end (-1), or a module's dotted name."""

Tap = Layer | tuple[Layer, Layer]
"""A feature map of two networks: of one name or place in both, or the student's and the teacher's.
"""


def layer_of(tap: Tap, *, teacher: bool) -> Layer:
    """The student's or the teacher's side of a tap."""
    return tap[teacher] if isinstance(tap, tuple) else tap


def in_order(taps: Collection[Tap]) -> tuple[Tap, ...]:
    """Each tap once: counted ones from shallow to deep, then the others by name."""
    counted = sorted({tap for tap in taps if isinstance(tap, int)})
    named = sorted({tap for tap in taps if not isinstance(tap, int)}, key=str)
    return (*counted, *named)


def logits_and_features(
    model: Any, images: Tensor, layers: Sequence[Layer]
) -> tuple[Tensor, dict[Layer, Tensor]]:
    """Logits and feature maps ``(batch, positions, channels)`` of one and the same pass.

    Class, distillation and register tokens are left out.

    Args:
        model: a timm model.
        images: ``(batch, channels, height, width)``, normalised.
        layers: counted ones come first, in order of depth, then named ones as they are given.

    Raises:
        ValueError: if the model has no such layer, or one that gives no feature map.
    """
    counted = sorted({layer for layer in layers if isinstance(layer, int)})
    named = list(dict.fromkeys(layer for layer in layers if isinstance(layer, str)))
    features: dict[Layer, Tensor] = {}
    with _watched(model, named) as seen:
        if counted:
            final, maps = _intermediates(model, images, counted)
            features |= {
                layer: feature_map.flatten(2).transpose(1, 2)
                for layer, feature_map in zip(counted, maps, strict=True)
            }
            logits: Tensor = model.forward_head(final)
        else:
            logits = model(images)
    return logits, {**features, **{name: _of_module(model, name, seen) for name in named}}


def _intermediates(model: Any, images: Tensor, indices: list[int]) -> tuple[Tensor, list[Tensor]]:
    name = type(model).__name__
    if not hasattr(model, "forward_intermediates"):
        raise ValueError(
            f"{name} does not count its feature layers; tap modules by name instead of {indices}, "
            f"for example {_examples(model)}"
        )
    try:
        final, maps = model.forward_intermediates(images, indices=indices, output_fmt="NCHW")
    except AssertionError as error:  # timm's own check of the indices
        raise ValueError(f"{name} has no feature layers {indices}: {error}") from None
    return final, maps


@contextmanager
def _watched(model: nn.Module, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """What the modules give while the context is open."""
    seen: dict[str, Any] = {}
    modules = dict(model.named_modules())
    for name in names:
        if not name or name not in modules:
            known = [known for known in modules if known]
            raise ValueError(unknown(f"layer of {type(model).__name__}", name, known))
    handles = [
        modules[name].register_forward_hook(
            lambda _module, _inputs, output, name=name: seen.update({name: output})
        )
        for name in names
    ]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _of_module(model: nn.Module, name: str, seen: dict[str, Any]) -> Tensor:
    output = seen.get(name)
    if isinstance(output, Tensor) and output.dim() == 4:
        return output.flatten(1, 2) if _channels_last(model, output) else _positions_first(output)
    if isinstance(output, Tensor) and output.dim() == 3:
        return _without_prefix(output, getattr(model, "num_prefix_tokens", 0))
    if isinstance(output, Tensor) and output.dim() == 2:
        return output[:, None]
    got = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
    raise ValueError(
        f"layer {name!r} of {type(model).__name__} gives no feature map in this pass (got {got}); "
        f"tap another one, for example {_examples(model)}"
    )


def _channels_last(model: nn.Module, feature_map: Tensor) -> bool:
    """Maps are square where images are; timm says what its last maps are where that is no help."""
    rows, columns, channels = feature_map.shape[1:]
    if (rows == columns) != (columns == channels):
        return bool(rows == columns)
    return bool(getattr(model, "output_fmt", "NCHW") == "NHWC")


def _positions_first(feature_map: Tensor) -> Tensor:
    return feature_map.flatten(2).transpose(1, 2)


def _without_prefix(tokens: Tensor, num_prefix: int) -> Tensor:
    """Patches alone; some blocks of a network with a class token run before it is added."""
    count = tokens.shape[1]
    return tokens if isqrt(count) ** 2 == count else tokens[:, num_prefix:]


def _examples(model: nn.Module) -> str:
    stages = [info["module"] for info in getattr(model, "feature_info", None) or []]
    names = stages or [name for name, _ in model.named_children()]
    return ", ".join(repr(name) for name in names[-3:])
