"""Reading and writing weights, without ever executing what a file brings."""

import os
import pickle
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from trainables.models.fitting import compare
from trainables.models.inert_pickle import read_inert
from trainables.models.layouts import facts_of, translated
from trainables.models.network import Network
from trainables.models.normalization import ChannelStatistics
from trainables.models.plain_content import refuse_odd
from trainables.models.student_file import read_described
from trainables.models.torch_container import refuse_hostile
from trainables.models.wrapping import Unwrapped, Weights, unwrap
from trainables.spelling import shortened
from trainables.storage.persistence import persistently


def save_atomically(state: Mapping[str, Any], path: Path) -> None:
    """Write ``state``; ``path`` holds the old or the whole new content, also after a kill.

    Tried again after a passing fault, such as one of a shared disk.

    Raises:
        OSError: if it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    persistently(lambda: _save(state, path))


def _save(state: Mapping[str, Any], path: Path) -> None:
    half_written = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write_flushed(state, half_written)
        half_written.replace(path)
    finally:
        with suppress(OSError):
            half_written.unlink(missing_ok=True)


def write_flushed(state: Mapping[str, Any], path: Path) -> None:
    """Write ``state`` where nobody looks for it yet; it is on the disk after that."""
    with path.open("wb") as file:
        torch.save(dict(state), file)
        file.flush()
        os.fsync(file.fileno())


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The dictionary in a .pt, .pth, .t7, .ckpt or .safetensors file, on the CPU.

    Objects beside the tensors that only executing code could restore are left out.

    Raises:
        ValueError: if the file is missing, truncated, no checkpoint, or holds no weights unless
            code is executed.
    """
    if not path.is_file():
        raise ValueError(
            f"checkpoint {path} does not exist; give the path of a .pt, .pth or .safetensors file"
        )
    content = _safetensors(path) if path.suffix == ".safetensors" else _torch_file(path)
    if not isinstance(content, dict):
        raise ValueError(
            f"checkpoint {path} must hold a dictionary of weights, got {type(content).__name__}"
        )
    return content


def _safetensors(path: Path) -> dict[str, Any]:
    try:
        content = read_described(path)
        refuse_odd(content)
    except Exception as error:  # of its reader, or of one of the descriptions in its header
        raise ValueError(_unreadable(path, error)) from error
    return content


def _torch_file(path: Path) -> Any:
    try:
        refuse_hostile(path)
        content = _weights_only(path)
        refuse_odd(content)
    except Exception as error:  # a broken or malicious pickle may raise anything
        if "TorchScript" in str(error):
            raise ValueError(_would_execute(path, "TorchScript")) from error
        if isinstance(error, pickle.UnpicklingError):
            return _without_foreign_objects(path, error)
        raise ValueError(_unreadable(path, error)) from error
    return content


def _weights_only(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is odd about a bad file is said below
            return torch.load(path, map_location="cpu", weights_only=True)
    finally:  # or what a bad file has left would be held against the next one
        torch._utils._get_sparse_tensors_to_validate().clear()


def _without_foreign_objects(path: Path, refusal: Exception) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content, foreign = read_inert(path)
        refuse_odd(content)
    except Exception as error:  # likewise
        raise ValueError(_refused(path, refusal)) from error
    if foreign and not (isinstance(content, dict) and unwrap(content).weights):
        raise ValueError(_would_execute(path, shortened(foreign[0], 80)))
    return content


def _refused(path: Path, error: Exception) -> str:
    with path.open("rb") as file:
        begins = file.read(1)
    if begins == pickle.PROTO or "GLOBAL" in str(error):
        return _would_execute(path, "a pickle")
    return _unreadable(path, error)


def _would_execute(path: Path, what: str) -> str:
    return (
        f"checkpoint {path} is refused: its weights cannot be had unless it would execute code on "
        f"loading ({what}); save it again with torch.save(model.state_dict(), path)"
    )


def _unreadable(path: Path, error: Exception) -> str:
    reason = f" ({shortened(str(error), 120)})" if type(error) is ValueError else ""
    return (
        f"checkpoint {path} ({path.stat().st_size} bytes) cannot be read as weights: it is "
        f"truncated or not a checkpoint{reason}; get the file again"
    )


def read_weights(path: Path) -> tuple[dict[str, Any], Unwrapped]:
    """A checkpoint, and the weights inside it.

    Raises:
        ValueError: see :func:`read_checkpoint`; also if there are no weights, some are not finite,
            or the file standardises images by what no images in [0, 1] have.
    """
    checkpoint = read_checkpoint(path)
    try:
        unwrapped = unwrap(checkpoint)
    except ValidationError as error:
        raise ValueError(
            f"checkpoint {path} brings a normalization that is not of images in [0, 1]: "
            f"{error.errors()[0]['msg'].removeprefix('Value error, ')}; save its network's weights "
            "alone, and give the teacher's normalization"
        ) from error
    if not unwrapped.weights:
        raise ValueError(f"checkpoint {path} holds no weights; give one that does")
    for key, values in unwrapped.weights.items():
        if not values.isfinite().all():
            raise ValueError(
                f"checkpoint {path} holds numbers that are not finite (first: in "
                f"{shortened(key, 120)}); give one from before its training diverged"
            )
    return checkpoint, unwrapped


def weights_in(checkpoint: Mapping[str, Any]) -> Weights:
    """The state dict inside a checkpoint, without its container and its wrappers' prefixes."""
    return unwrap(checkpoint).weights


def load_weights(network: Network, path: Path, architecture: str) -> None:
    """Load a checkpoint in any layout into a network of the given architecture, strictly.

    Raises:
        ValueError: see :func:`read_checkpoint`; also if the weights belong to another architecture,
            or the file standardises images by other statistics than the network.
    """
    _, unwrapped = read_weights(path)
    weights, expected = translated(unwrapped.weights), network.model.state_dict()
    if differing := compare(expected, weights):
        _refuse_other_data(path, weights, expected)
        raise ValueError(f"{not_of(path, architecture, unwrapped.weights)}: {differing}")
    if unwrapped.normalization is not None:
        _refuse_other_statistics(network, path, unwrapped.normalization)
    network.model.load_state_dict({**expected, **weights})


def _refuse_other_data(path: Path, weights: Weights, expected: Weights) -> None:
    """Say so where the same architecture was made for other data."""
    theirs, ours = facts_of(weights), facts_of(expected)
    if theirs.architecture != ours.architecture:
        return
    for what in ("num_classes", "channels", "image_size"):
        got, wanted = getattr(theirs, what), getattr(ours, what)
        if None not in {got, wanted} and got != wanted:
            words = {"num_classes": "classes", "image_size": "pixels a side"}.get(what, what)
            raise ValueError(
                f"checkpoint {path} is made for {got} {words}, not for the {wanted} of the data; "
                "begin with weights for the same data, or leave checkpoint out"
            )


def _refuse_other_statistics(network: Network, path: Path, brought: ChannelStatistics) -> None:
    ours = ChannelStatistics(
        mean=tuple(network.mean.flatten().tolist()), std=tuple(network.std.flatten().tolist())
    )
    pairs = zip((ours.mean, ours.std), brought.of_channels(len(ours.mean)), strict=True)
    if not all(torch.allclose(torch.tensor(a), torch.tensor(b), atol=1e-3) for a, b in pairs):
        raise ValueError(
            f"checkpoint {path} standardises images by {brought}, but the network by {ours}; "
            "set a teacher's normalization to auto, which takes the file's"
        )


def not_of(path: Path, architecture: str, weights: Weights) -> str:
    """That weights are not of an architecture, and what they seem to be."""
    facts = facts_of(weights)
    seems = f"; by its keys it is {facts.architecture!r}" if facts.architecture else ""
    hint = "" if seems else "; name the architecture that the file was saved from"
    return f"checkpoint {path} is not of architecture {architecture!r}{seems}{hint}"
