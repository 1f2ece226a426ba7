"""How the C library keeps memory: freed pages at hand cost nothing, new ones a page fault each."""

import ctypes
import sys
from functools import cache

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
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    return bool(library.mallopt(MMAP_MAX, 0) and library.mallopt(TRIM_THRESHOLD, NEVER))
