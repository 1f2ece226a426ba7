"""A network as a program that runs without this project: torch.export's, and ONNX.

Normalisation is inside: a program takes images ``(batch, channels, height, width)`` in [0, 1] as
float32, for any batch, and returns logits ``(batch, classes)``.
"""

import contextlib
import importlib
import importlib.util
import io
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from trainables.models import Network

Classify = Callable[[Tensor], Tensor]
"""Images to logits, both on the CPU."""

INPUT, OUTPUT = "images", "logits"
NEEDED_FOR_ONNX = ("onnx", "onnxruntime", "onnxscript")


def missing_for_onnx() -> list[str]:
    """The packages that ONNX needs and that are not installed."""
    return [name for name in NEEDED_FOR_ONNX if importlib.util.find_spec(name) is None]


def need_for_onnx(missing: list[str]) -> str:
    """What to do about packages that are not installed."""
    return (
        f"ONNX needs packages that are not installed ({', '.join(missing)}); "
        "install them with: pip install 'robust-distillation-tuner[onnx]'"
    )


def program_of(network: Network, image_shape: tuple[int, int, int]) -> ExportedProgram:
    """A network in eval mode as a program for any number of images.

    Args:
        network: on the CPU, in the layout in which the program is to compute; it is left as it is.
        image_shape: ``(channels, height, width)``.

    Raises:
        ValueError: if an operation of the network cannot be exported.
    """
    before = [(module, module.training) for module in network.modules()]
    network.eval()
    example = torch.full((2, *image_shape), 0.5)  # 1 would be taken for a constant
    try:
        with torch.no_grad(), quiet():
            return torch.export.export(network, (example,), dynamic_shapes=({0: Dim("batch")},))
    except Exception as error:  # torch.export has no exception of its own for all of this
        raise ValueError(f"the network cannot be exported: {_first_line(error)}") from error
    finally:
        for module, mode in before:
            module.training = mode


def write_pt2(program: ExportedProgram, path: Path) -> Classify:
    """Write a program for ``torch.export.load``; returns it as read back from the file."""
    with quiet(), _whole(path) as part:
        torch.export.save(program, part)
    return load_pt2(path)


def load_pt2(path: Path) -> Classify:
    """The program in a ``.pt2`` file."""
    with quiet():
        module = torch.export.load(path).module()

    def classify(images: Tensor) -> Tensor:
        with torch.no_grad():
            logits: Tensor = module(images)
        return logits

    return classify


def write_onnx(program: ExportedProgram, path: Path, *, facts: dict[str, str]) -> Classify:
    """Write a program as ONNX; returns it as ONNX Runtime computes it.

    Args:
        program: to be translated.
        path: the file; weights are inside.
        facts: kept as the model's metadata.

    Raises:
        ValueError: if an operation has no translation, or what ONNX needs is not installed.
    """
    if missing := missing_for_onnx():
        raise ValueError(need_for_onnx(missing))
    try:
        with quiet():
            translated: Any = torch.onnx.export(
                program,
                dynamo=True,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=({0: "batch"},),
                verbose=False,
            )
    except Exception as error:  # the exporter raises whatever a translation raised
        raise ValueError(f"the network has no form in ONNX: {_first_line(error)}") from error
    translated.model.metadata_props.update(facts)
    with quiet(), _whole(path) as part:
        translated.save(part)
    return load_onnx(path)


def load_onnx(path: Path) -> Classify:
    """The model in an ``.onnx`` file, computed by ONNX Runtime on one CPU thread."""
    onnxruntime: Any = importlib.import_module("onnxruntime")  # optional, and without types
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        path, sess_options=options, providers=["CPUExecutionProvider"]
    )

    def classify(images: Tensor) -> Tensor:
        (logits,) = session.run([OUTPUT], {INPUT: images.numpy()})
        return torch.from_numpy(logits)

    return classify


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without what exporters print and log; their exceptions pass."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A file to write beside ``path``, which takes its place once it is whole."""
    part = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no reason given'}"
