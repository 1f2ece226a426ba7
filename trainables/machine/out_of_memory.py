"""Which errors say that memory ran out: PyTorch has a class of its own for some of them only."""

import torch

WORDS = (
    "CUDA error: out of memory",  # outside of PyTorch's allocator: the context of a process, say
    "CUBLAS_STATUS_ALLOC_FAILED",
    "DefaultCPUAllocator: can't allocate memory",
)
"""Of a ``RuntimeError`` that means it."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device or the machine had no room."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in WORDS)
