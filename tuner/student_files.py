"""Finding and reading a student that was trained here: its training state, or its weights alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainables.models import Network
from trainables.models.checkpoints import read_checkpoint
from trainables.spelling import shortened
from tuner.study_file import load_trial

NAMES = ("checkpoint.pt", "student.safetensors")
"""What a folder of a trained student holds; the first one present is taken."""


def file_in(folder: Path) -> Path | None:
    """The student's file in a folder; None where there is none."""
    return next((folder / name for name in NAMES if (folder / name).is_file()), None)


def seeds_in(folder: Path) -> list[Path]:
    """Folders of single seeds in the folder of a training over several."""
    return [path for path in sorted(folder.glob("seed_*")) if file_in(path)]


def read_student(path: Path) -> dict[str, Any]:
    """A checkpoint; safetensors without a config inside take the ``config.yaml`` beside them.

    Raises:
        ValueError: if the file, or the config beside it, cannot be read.
    """
    state = read_checkpoint(path)
    beside = path.with_name("config.yaml")
    if path.suffix == ".safetensors" and "config" not in state and beside.is_file():
        return {"config": load_trial(beside).model_dump(mode="json"), "student": state}
    return state


def load_student(network: Network, weights: Mapping[str, Any], path: Path) -> None:
    """Load a student's own weights.

    Raises:
        ValueError: if they are of another network than the config says.
    """
    try:
        network.load_state_dict(weights)
    except (RuntimeError, TypeError, AttributeError) as error:  # of other shapes, or no weights
        first = shortened(str(error).splitlines()[-1], 200)
        raise ValueError(
            f"the weights in {path} are not of the student that its config describes ({first}); "
            "put the file back beside its own config.yaml"
        ) from error
