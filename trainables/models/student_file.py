"""A finished network as one file without training state: safetensors, with what it is inside."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor

STATED = ("config", "machine", "epoch")
"""What is taken over from a checkpoint."""

OURS = {"config", "members"}
"""One of these is in every file of ours; members are those of an ensemble of teachers."""


def write_student(state: Mapping[str, Any], path: Path, **further: object) -> Path:
    """Write the weights that are to be used, with what rebuilds the network around them.

    Args:
        state: a checkpoint, as ``Distillation.state_dict`` gives it; its ``result`` is taken where
            there is one, the average or the best epoch, else the live student.
        path: the file; it holds the old or the whole new content, also after a kill.
        further: JSON types to be kept beside the config.
    """
    facts = {key: state[key] for key in STATED if key in state} | further
    return _write(state.get("result", state["student"]), facts, path)


def write_teacher(content: Mapping[str, Any], path: Path) -> Path:
    """Write a prepared teacher: its ``model``, if it is a single one, and JSON types beside it."""
    facts = {key: value for key, value in content.items() if key != "model"}
    return _write(content.get("model", {}), facts, path)


def _write(weights: Mapping[str, Tensor], facts: Mapping[str, object], path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    dense = {key: value.contiguous() for key, value in weights.items()}
    metadata = {key: json.dumps(value) for key, value in facts.items()}
    half_written = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        half_written.write_bytes(save(dense, {"format": "pt", **metadata}))
        half_written.replace(path)
    finally:
        half_written.unlink(missing_ok=True)
    return path


def read_described(path: Path) -> dict[str, Any]:
    """What was written here, as a checkpoint; of other files the weights alone.

    Raises:
        ValueError: if the file's own description is broken.
    """
    weights = dict(load_file(path))
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
    if not OURS & metadata.keys():
        return weights
    facts = {key: json.loads(value) for key, value in metadata.items() if key != "format"}
    if "measured" in facts:  # a teacher
        return {**facts, "model": weights} if weights else facts
    return {**facts, "student": weights, "result": weights}
