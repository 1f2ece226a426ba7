"""How memory is kept: freed pages at hand cost nothing, new ones a page fault each."""

import ctypes
import gc
import sys
from functools import cache

import torch

TRIM_THRESHOLD, MMAP_MAX = -1, -4  # of mallopt(3)
NEVER = 2**31 - 1


@cache  # it holds for the whole process
def keep_freed_memory() -> bool:
    """Let glibc reuse freed memory instead of handing it back and asking for it again.

    Activations of some megabytes come and go with every pass of a network; by default each is
    mapped anew and its pages are cleared by the kernel. The process keeps its peak size.

    Returns:
        Whether this C library knows the setting; others (macOS, musl) are left alone.
    """
    library = _glibc()
    if library is None:
        return False
    return bool(library.mallopt(MMAP_MAX, 0) and library.mallopt(TRIM_THRESHOLD, NEVER))


def hand_back_freed_memory() -> None:
    """Give what nothing refers to any more back to the GPU and to the machine, at once.

    For the moment between two trials of a process: a schedule and its run refer to each other, so
    they go when Python looks for such circles, and PyTorch and glibc keep what was freed for
    themselves. Costs milliseconds.
    """
    gc.collect()
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()
    if library := _glibc():
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None
