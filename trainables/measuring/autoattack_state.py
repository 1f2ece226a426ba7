"""What an interrupted AutoAttack has already found, in a file of ours."""

from pathlib import Path

import torch
from torch import Tensor

from trainables.models.checkpoints import read_checkpoint, save_atomically


class Progress:
    """Flags by chunk and part, written after each; kept in memory alone without a path.

    Args:
        path: the state file; taken up if it is there.
        identity: fingerprint of all that decides the flags.

    Raises:
        ValueError: if the file is no state, or of another run.
    """

    def __init__(self, path: Path | None, identity: str) -> None:
        self._path, self._identity = path, identity
        self._flags: dict[str, Tensor] = {}
        self.warnings: list[str] = []
        if path is not None and path.is_file():
            self._take_up(path)

    def _take_up(self, path: Path) -> None:
        state = read_checkpoint(path)
        if state.get("autoattack") != self._identity:
            raise ValueError(
                f"state {path} belongs to other weights, images or settings of AutoAttack; delete "
                "it, or name another folder"
            )
        self._flags, self.warnings = state["flags"], state["warnings"]

    def flags(self, chunk: int, part: str, device: torch.device) -> Tensor | None:
        """What was found before; None where it is not yet known."""
        found = self._flags.get(f"{chunk}/{part}")
        return None if found is None else found.to(device)

    def record(self, chunk: int, part: str, flags: Tensor, warnings: list[str]) -> None:
        """Keep flags, and write all that is known."""
        self._flags[f"{chunk}/{part}"] = flags.cpu()
        self.warnings += [warning for warning in warnings if warning not in self.warnings]
        if self._path is not None:
            state = {
                "autoattack": self._identity,
                "flags": self._flags,
                "warnings": self.warnings,
            }
            save_atomically(state, self._path)
