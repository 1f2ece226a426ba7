"""What a trial was computed with, from the file that its worker left in its directory."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuner.json_files import read_json

Tags = dict[str, str]


def hardware_tags(trial: Path) -> Tags:
    """Device, chip, precision and all of it in words; empty before the worker has built the trial.

    Args:
        trial: the trial's directory.
    """
    try:
        machine = read_json(trial / "machine.json")
        single = {f"tuner.{key}": str(machine[key]) for key in ("device", "chip", "precision")}
        return {"tuner.hardware": in_words(machine), **single}
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
    ):  # not there yet, half written, or of another version
        return {}


def in_words(machine: Mapping[str, Any]) -> str:
    """``cpu x86_64, float32, channels_last, not compiled, 1 thread, torch 2.15.0``."""
    threads = f"{machine['threads']} thread" + "s" * (machine["threads"] > 1)
    return ", ".join(
        [
            f"{machine['device']} {machine['chip']}",
            machine["precision"],
            machine["memory_format"],
            "compiled" if machine["compile"] else "not compiled",
            threads,
            f"torch {machine['torch']}",
        ]
    )
