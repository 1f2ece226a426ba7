"""Reading and writing weights, without ever executing what a file brings."""

import os
import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from trainables.models.network import Network

CONTAINERS = ("result", "model_state_dict", "state_dict", "net", "model", "student")
"""Keys under which checkpoints keep the weights; the first one present is taken."""

PREFIXES = ("module.", "module.0.", "0.", "_orig_mod.", "model.")
"""What wrappers put before every key; stripped only if all keys carry it."""


def save_atomically(state: Mapping[str, Any], path: Path) -> None:
    """Write ``state``; ``path`` holds the old or the whole new content, also after a kill."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half_written = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with half_written.open("wb") as file:
            torch.save(dict(state), file)
            file.flush()
            os.fsync(file.fileno())
        half_written.replace(path)
    finally:
        half_written.unlink(missing_ok=True)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The dictionary in a .pt, .pth or .safetensors file, on the CPU.

    Raises:
        ValueError: if the file is missing, truncated, no checkpoint, or a pickle that would execute
            code.
    """
    if not path.is_file():
        raise ValueError(
            f"checkpoint {path} does not exist; give the path of a .pt, .pth or .safetensors file"
        )
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is odd about a bad file is said below
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(_refused_pickle(path, error)) from error
    except (
        RuntimeError,
        EOFError,
        OSError,
        SafetensorError,
        zipfile.BadZipFile,
        KeyError,
    ) as error:
        raise ValueError(_unreadable(path)) from error
    if not isinstance(content, dict):
        raise ValueError(
            f"checkpoint {path} must hold a dictionary of weights, got {type(content).__name__}"
        )
    return content


def _refused_pickle(path: Path, error: Exception) -> str:
    bare_pickle = path.read_bytes()[:1] == pickle.PROTO
    if bare_pickle or "Unsupported global" in str(error) or "GLOBAL" in str(error):
        return (
            f"checkpoint {path} is refused: it is a pickle that would execute code on loading; "
            "only plain tensors are allowed, so save it again with "
            "torch.save(model.state_dict(), path)"
        )
    return _unreadable(path)


def _unreadable(path: Path) -> str:
    return (
        f"checkpoint {path} ({path.stat().st_size} bytes) cannot be read as weights: it is "
        "truncated or not a checkpoint; get the file again"
    )


def weights_in(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """The state dict inside a checkpoint, without its container and its wrappers' prefixes."""
    inner: Mapping[str, Any] = next(
        (checkpoint[key] for key in CONTAINERS if isinstance(checkpoint.get(key), Mapping)),
        checkpoint,
    )
    weights = {key: value for key, value in inner.items() if isinstance(value, Tensor)}
    for prefix in PREFIXES:
        if weights and all(key.startswith(prefix) for key in weights):
            weights = {key.removeprefix(prefix): value for key, value in weights.items()}
    return weights


def load_weights(network: Network, path: Path, architecture: str) -> None:
    """Load a checkpoint into a network of the given architecture, strictly.

    Raises:
        ValueError: see :func:`read_checkpoint`; also if the weights belong to another architecture.
    """
    weights = weights_in(read_checkpoint(path))
    expected = network.model.state_dict()
    optional = {key for key in expected if key.endswith("num_batches_tracked")}
    missing = sorted(expected.keys() - weights.keys() - optional)
    unexpected = sorted(weights.keys() - expected.keys())
    reshaped = sorted(
        key for key in expected.keys() & weights.keys() if expected[key].shape != weights[key].shape
    )
    if missing or unexpected or reshaped:
        raise ValueError(
            f"checkpoint {path} is not of architecture {architecture!r}: "
            f"{_difference('missing', missing)}, {_difference('unexpected', unexpected)}, "
            f"{_difference('of another shape', reshaped)}; "
            "name the architecture that the file was saved from"
        )
    network.model.load_state_dict({**expected, **weights})


def _difference(what: str, keys: list[str]) -> str:
    return f"{len(keys)} keys {what}" + (f" (first: {keys[0]})" if keys else "")
