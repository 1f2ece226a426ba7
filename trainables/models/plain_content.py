"""Seeing that what came out of a file is plain: values, and tensors that are what they seem."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

DTYPES = {
    torch.bool,
    torch.uint8,
    torch.int8,
    torch.int16,
    torch.int32,
    torch.int64,
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
}
MOST_BYTES_OF_VIEW = 64 * 2**20
"""What a tensor that repeats its numbers may seem to take; others are as large as their storage."""
LONGEST_SIDE = 2**31
MOST_VALUES = 2_000_000
DEEPEST = 64


def refuse_odd(content: Any) -> None:
    """Go through everything inside dictionaries, lists and tuples.

    Attributes that a file has hung on its tensors are taken off.

    Raises:
        ValueError: for tensors without numbers of their own (sparse, quantised, on no device, far
            larger than their storage), and for content that is nested or repeated without end.
    """
    waiting, seen = [(content, 0)], 0
    while waiting:
        value, depth = waiting.pop()
        seen += 1
        if seen > MOST_VALUES or depth > DEEPEST:
            raise ValueError("it holds more than weights")
        if isinstance(value, Tensor):
            _refuse_odd_tensor(value)
        elif isinstance(value, Mapping):
            waiting += [(inner, depth + 1) for inner in value.values()]
        elif isinstance(value, list | tuple | set | frozenset):
            waiting += [(inner, depth + 1) for inner in value]


def _refuse_odd_tensor(tensor: Tensor) -> None:
    vars(tensor).clear()  # among them might be one named as a method is
    if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.dtype not in DTYPES:
        raise ValueError(f"a tensor in it is {tensor.layout} {tensor.dtype} on {tensor.device}")
    taken = tensor.numel() * tensor.element_size()
    allowed = max(tensor.untyped_storage().nbytes(), MOST_BYTES_OF_VIEW)
    if taken > allowed or any(side >= LONGEST_SIDE for side in tensor.shape):
        raise ValueError(f"a tensor in it seems to have the shape {list(tensor.shape)[:8]}")
