"""A finished student as one file without its training state: safetensors, its config inside."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import load_file, save

STATED = ("config", "machine", "epoch")
"""What is taken over from a checkpoint."""


def write_student(state: Mapping[str, Any], path: Path, **further: object) -> Path:
    """Write the weights that are to be used, with what rebuilds the network around them.

    Args:
        state: a checkpoint, as ``Distillation.state_dict`` gives it; its ``result`` is taken where
            there is one, the average or the best epoch, else the live student.
        path: the file; it holds the old or the whole new content, also after a kill.
        further: JSON types to be kept beside the config.
    """
    weights = {
        key: value.contiguous() for key, value in state.get("result", state["student"]).items()
    }
    facts = {key: state[key] for key in STATED if key in state} | further
    metadata = {key: json.dumps(value) for key, value in facts.items()}
    half_written = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        half_written.write_bytes(save(weights, {"format": "pt", **metadata}))
        half_written.replace(path)
    finally:
        half_written.unlink(missing_ok=True)
    return path


def read_student(path: Path) -> dict[str, Any]:
    """What :func:`write_student` wrote, as a checkpoint; of other files the weights alone.

    Raises:
        ValueError: if the file's own description is broken.
    """
    weights = dict(load_file(path))
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
    if "config" not in metadata:
        return weights
    facts = {key: json.loads(value) for key, value in metadata.items() if key != "format"}
    return {**facts, "student": weights, "result": weights}
