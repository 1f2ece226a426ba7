"""How long a study took, and how much memory all its processes held."""

import threading
import time
from types import TracebackType
from typing import Self

import psutil


class Usage:
    """A context in which wall time runs and the memory of this process and its children is watched.

    Attributes:
        peak_bytes: largest sum of resident set sizes seen; pages that processes share count once
            per process, so this is an upper bound.
    """

    def __init__(self, interval: float = 1.0) -> None:
        self._interval, self._over = interval, threading.Event()
        self._began, self.peak_bytes = time.monotonic(), 0
        self._thread = threading.Thread(target=self._watch, daemon=True, name="usage")

    @property
    def seconds(self) -> float:
        """Wall time since the context was entered."""
        return time.monotonic() - self._began

    def __enter__(self) -> Self:
        """Start watching."""
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop watching."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(self._interval):
            self.peak_bytes = max(self.peak_bytes, resident_bytes())


def resident_bytes() -> int:
    """Resident memory of this process and all its descendants, summed."""
    this = psutil.Process()
    total = 0
    for process in [this, *this.children(recursive=True)]:
        try:
            total += process.memory_info().rss
        except psutil.Error:  # it ended meanwhile
            continue
    return total
