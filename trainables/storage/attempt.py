"""Who may write a run's checkpoint: the process that took it up last, and nobody else.

A node that is cut off trains on, while the run goes on from its checkpoint on another one. What
the first then writes to the folder that both see must not take the place of what the second wrote.

Every attempt at a run has a folder of its own beside the checkpoint, in which it writes the next
one before it renames it into place. Whoever takes the run up renames all such folders away first,
and then reads the checkpoint. So an older attempt either was in time, and what it wrote is read, or
its rename fails: there is no moment in between, as a file system does one rename at a time. A
note in a file, read before every write, would leave such a moment.
"""

import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from trainables.models.checkpoints import write_flushed


class SupersededError(Exception):
    """Another process has taken the run up; this one has no more to do."""


class Attempt:
    """One process's turn at a run.

    Args:
        checkpoint: the run's, in a folder that all who may take it up see.
        folder: this attempt's own, which is there for as long as nobody else took the run up.
    """

    def __init__(self, checkpoint: Path, folder: Path) -> None:
        self.checkpoint, self._folder = checkpoint, folder

    @classmethod
    def begin(cls, checkpoint: Path) -> Self:
        """Take a run up; call it before the checkpoint is read.

        Two that begin at the same moment may end each other: neither writes then.

        Raises:
            OSError: if the folder of the checkpoint cannot be written to.
        """
        prefix = f".{checkpoint.name}.attempt-"
        folder = checkpoint.with_name(f"{prefix}{secrets.token_hex(4)}")
        folder.mkdir(parents=True)
        for other in checkpoint.parent.glob(f"{prefix}*"):
            if other != folder:
                _remove(other)
        # of one that was killed right here
        for rest in checkpoint.parent.glob(f".{checkpoint.name}.gone-*"):
            shutil.rmtree(rest, ignore_errors=True)
        return cls(checkpoint, folder)

    def require(self) -> None:
        """See that nobody else has taken the run up.

        Raises:
            SupersededError: if somebody has.
        """
        if not self._folder.is_dir():
            raise SupersededError(
                f"{self.checkpoint} is written by another process by now: this one was given up, "
                "and writes no more"
            )

    def save(self, state: Mapping[str, Any]) -> None:
        """Write the checkpoint; it holds the old or the whole new state, also after a kill.

        Raises:
            SupersededError: if another process has taken the run up; its checkpoint is untouched.
        """
        half_written = self._folder / self.checkpoint.name
        try:
            write_flushed(state, half_written)
            half_written.replace(self.checkpoint)
        except FileNotFoundError:
            self.require()
            raise

    def end(self) -> None:
        """Give the run up: nothing of this attempt is left but the checkpoint."""
        _remove(self._folder)


def _remove(folder: Path) -> None:
    """Take a folder away under its writer's hands, who cannot put anything into place from then."""
    doomed = folder.with_name(folder.name.replace(".attempt-", ".gone-"))
    try:
        folder.rename(doomed)
    except FileNotFoundError:
        return  # another was faster
    shutil.rmtree(doomed, ignore_errors=True)
