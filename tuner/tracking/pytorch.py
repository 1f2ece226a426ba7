"""A student in MLflow's PyTorch format, as an exported program that needs no code of ours."""

import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from trainables.models import Network

with warnings.catch_warnings():
    # MLflow warns of type hints in its own chat bots, when it loads this part of itself, late
    warnings.simplefilter("ignore")
    import_module("mlflow.pyfunc")
    from mlflow.models import Model, ModelSignature
    from mlflow.pytorch import save_model
    from mlflow.types import Schema, TensorSpec

REQUIREMENTS = ("mlflow", "numpy", "torch")
"""What loading the program takes; pinned to the versions that wrote it."""

EXAMPLES = 4
"""Images in the example; with a single one the batch would be fixed to one."""


def save_student(network: Network, image_shape: Sequence[int], place: Path, model: Model) -> None:
    """Write a network that takes images in [0, 1], float32, and gives logits.

    It is exported in eval mode and on the CPU, with its normalisation; whoever loads it on a
    machine with a GPU gets it on the CPU, too, as a program does not move by itself. The example is
    noise from a seed: no image of the data set leaves the machine.

    Args:
        network: is moved to the CPU and frozen.
        image_shape: ``(channels, height, width)``.
        place: a folder that does not exist.
        model: MLflow's description, which is completed and written, too.
    """
    network = network.cpu().to(memory_format=torch.contiguous_format).eval()
    network.requires_grad_(False)  # so that logits can be had as numpy; images may still
    example = np.random.default_rng(0).random((EXAMPLES, *image_shape), dtype=np.float32)
    num_classes = network(torch.from_numpy(example)).shape[1]
    # without names: with them MLflow passes a dictionary, which its PyTorch models refuse
    signature = ModelSignature(_batch(*image_shape), _batch(num_classes))
    save_model(
        network,
        str(place),
        mlflow_model=model,
        signature=signature,
        input_example=example,
        pip_requirements=[f"{name}=={_version(name)}" for name in REQUIREMENTS],
        serialization_format="pt2",
    )
    model.flavors["python_function"]["config"] = {"device": "cpu"}
    model.save(str(place / "MLmodel"))


def _batch(*shape: int) -> Schema:
    return Schema([TensorSpec(np.dtype("float32"), (-1, *shape))])


def _version(name: str) -> str:
    return version(name).partition("+")[0]  # +cu132 is no version that a registry has
