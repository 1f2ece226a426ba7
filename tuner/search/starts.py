"""Trials that Ray gives up before they have begun, though they may be begun again."""

from collections import Counter


class Starts:
    """Counts starts that failed: Ray restarts a process that trained, not one that got ready.

    Args:
        most: failed starts per trial after which it is lost, as ``resources.max_failures``.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._failed: Counter[int] = Counter()
        self._again: set[int] = set()

    def fail(self, number: int) -> None:
        """Note that a trial's process died before it was ready; it is begun again, if it may."""
        self._failed[number] += 1
        if self._failed[number] <= self._most:
            self._again.add(number)

    def is_to_begin_again(self, number: int) -> bool:
        """Whether a trial that Ray gave up waits for another start."""
        return number in self._again

    def begin(self, number: int) -> int:
        """Note that a trial is handed out; how many of its starts failed before."""
        self._again.discard(number)
        return self._failed[number]
