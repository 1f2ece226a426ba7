"""What a trial keeps from one process to the next: its state, and notes about it."""

import platform
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from trainables.attempt import Attempt
from trainables.models.checkpoints import read_checkpoint

CHECKPOINT = "checkpoint.pt"


class StateNotStoredError(Exception):
    """A trial's state cannot be stored; that says nothing about the trial."""


class TrialStore:
    """A trial's own place, of which only the process writes the state that took it up last.

    Args:
        place: the trial's folder, which all see that may take the trial up.
    """

    def __init__(self, place: str) -> None:
        self._folder = Path(place)
        self._attempt: Attempt | None = None

    @property
    def checkpoint(self) -> Path:
        """The file that holds the state, if there is one."""
        return self._folder / CHECKPOINT

    def take_up(self) -> dict[str, Any] | None:
        """The state to go on from; None at the beginning. Whoever had it before writes no more.

        Raises:
            OSError: if the folder cannot be written to.
        """
        self._attempt = Attempt.begin(self.checkpoint)
        return read_checkpoint(self.checkpoint) if self.checkpoint.is_file() else None

    def require(self) -> None:
        """See that nobody else has taken the trial up.

        Raises:
            SupersededError: if somebody has.
        """
        if self._attempt is not None:
            self._attempt.require()

    def save(self, state: Mapping[str, Any]) -> None:
        """Keep a state: whole or not at all.

        Raises:
            SupersededError: if another process has taken the trial up.
            StateNotStoredError: if it cannot be written.
        """
        assert self._attempt is not None, "a trial is taken up before it is saved"
        try:
            self._attempt.save(state)
        except OSError as error:
            reason = error.strerror or str(error)
            raise StateNotStoredError(
                f"{self.checkpoint} on {platform.node()}: {reason}"
            ) from error

    def note(self, name: str, text: str) -> None:
        """Write a file that its readers can do without."""
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / name).write_text(text)

    def leave(self) -> None:
        """Leave nothing but what the next process needs."""
        if self._attempt is not None:
            self._attempt.end()
