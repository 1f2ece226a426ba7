"""How long a classifier takes on one CPU thread."""

import contextlib
import time
from collections.abc import Iterator
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor

from trainables.programs.packaging import Classify

WARM_UP, RUNS, FEWEST, SECONDS = 3, 50, 5, 2.0
"""Passes before, passes at most and at least, and the time after which no further one begins."""


class Timing(NamedTuple):
    """Repeated passes of one batch."""

    median_ms: float
    """Milliseconds."""
    runs: int
    """How many passes the median is of."""


def timed(classify: Classify, images: Tensor) -> Timing:
    """Median time of a pass; whatever else runs on the machine at the time is in it."""
    for _ in range(WARM_UP):
        classify(images)
    times: list[float] = []
    while len(times) < FEWEST or (len(times) < RUNS and sum(times) < SECONDS):
        begun = time.perf_counter()
        classify(images)
        times.append(time.perf_counter() - begun)
    return Timing(1000 * median(times), len(times))


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch on one CPU thread; afterwards as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
