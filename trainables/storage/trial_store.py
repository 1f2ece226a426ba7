"""What a trial keeps from one process to the next: its state, and notes about it."""

import platform
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from trainables.models.checkpoints import read_checkpoint
from trainables.storage.attempt import Attempt, SupersededError
from trainables.storage.object_store import StoreError
from trainables.storage.places import TrialPlace

CHECKPOINT, TURN = "checkpoint.pt", "turn"
"""Files of the place; the second only at a URL: whose turn it is."""


class StateNotStoredError(Exception):
    """A trial's state cannot be stored; that says nothing about the trial."""


class TrialStore:
    """A trial's own place, of which only the process writes the state that took it up last.

    At a URL that is looked up before every write: whoever is overtaken between the two still writes
    once, an older state of the same trial, which the next write replaces.

    Args:
        place: the trial's folder, which all see that may take the trial up, or its URL.
    """

    def __init__(self, place: str) -> None:
        self._place = TrialPlace(place)
        self._attempt: Attempt | None = None
        self._turn = secrets.token_hex(4)

    @property
    def checkpoint(self) -> Path:
        """The file that holds the state, if there is one; of a URL, this node's copy of it."""
        return self._place.folder / CHECKPOINT

    @property
    def is_remote(self) -> bool:
        """Whether the place is a URL."""
        return self._place.is_remote

    @property
    def is_taken_up(self) -> bool:
        """Whether this process took the trial up; by now, another one may have."""
        return self._attempt is not None

    def take_up(self) -> dict[str, Any] | None:
        """The state to go on from; None at the beginning. Whoever had it before writes no more.

        Raises:
            OSError: if the folder cannot be written to.
            StoreError: if the URL's store does not answer for two minutes.
        """
        self._attempt = Attempt.begin(self.checkpoint)
        if self.is_remote:
            (self._place.folder / TURN).write_text(self._turn)
            self._place.send(TURN)
        return read_checkpoint(self.checkpoint) if self._place.fetch(CHECKPOINT) else None

    def require(self) -> None:
        """See that nobody else has taken the trial up; a store that does not answer is no news.

        Raises:
            SupersededError: if somebody has.
        """
        if self._attempt is not None:
            self._attempt.require()
        with suppress(StoreError):
            if self.is_remote and self._place.fetch(TURN, soon=True):
                self._require_turn()

    def _require_turn(self) -> None:
        if (self._place.folder / TURN).read_text() != self._turn:
            raise SupersededError(
                f"{CHECKPOINT} is written by another process by now: this one was given up, and "
                "writes no more"
            )

    def save(self, state: Mapping[str, Any]) -> None:
        """Keep a state: whole or not at all.

        Raises:
            SupersededError: if another process has taken the trial up.
            StateNotStoredError: if it cannot be written.
            StoreError: if the URL's store does not answer for two minutes.
        """
        self._save(state)
        self._place.send(CHECKPOINT)

    def try_to_save(self, state: Mapping[str, Any]) -> None:
        """As ``save``, for a state that the next one replaces: a store has seconds to take it."""
        self._save(state)
        self._place.try_to_send(CHECKPOINT)

    def _save(self, state: Mapping[str, Any]) -> None:
        assert self._attempt is not None, "a trial is taken up before it is saved"
        if self.is_remote:  # in a folder the attempt itself fails
            self.require()
        try:
            self._attempt.save(state)
        except OSError as error:
            why = error.strerror or str(error)
            raise StateNotStoredError(f"{self.checkpoint} on {platform.node()}: {why}") from error

    def note(self, name: str, text: str) -> None:
        """Write a file that its readers can do without."""
        with suppress(OSError):
            self._place.folder.mkdir(parents=True, exist_ok=True)
            (self._place.folder / name).write_text(text)
            self._place.try_to_send(name)

    def leave(self) -> None:
        """Leave nothing but what the next process needs."""
        if self._attempt is not None:
            self._attempt.end()
