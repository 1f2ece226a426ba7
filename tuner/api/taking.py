"""Training and packaging from Python: what ``tuner train`` and ``tuner package`` do."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tuner.api.console import console_for
from tuner.packaging.doing import package_student
from tuner.packaging.making import BATCHES, EAGER, RUNTIMES, Package
from tuner.verbs.package import chosen_formats
from tuner.verbs.train import TrainingRequest, chosen_seeds, train_and_show


def train(
    config: str | Path,
    output: str | Path | None = None,
    *,
    seeds: int | Sequence[int] = (),
    epochs: int | None = None,
    gpus: int | None = None,
    workers: int | None = None,
    teachers: str | Path = "runs/teachers",
    address: str | None = None,
    tracking: bool = True,
    tracking_uri: str | None = None,
    quiet: bool = False,
) -> Path:
    """Train students as a config says, or go on from the last epoch.

    Args:
        config: a trial's file, as ``study.export`` writes it.
        output: folder of the result; default: ``runs/train/<file>``.
        seeds: so many, from the config's seed on, or these; each has a folder ``seed_<n>`` of its
            own. Default: the config's seed alone, without one.
        epochs: instead of the config's number.
        gpus: in all; 0 is the CPU; default: as the config says.
        workers: processes that share every batch; default: one per GPU.
        teachers: folder of prepared teachers; a missing one is trained into it.
        address: a Ray cluster, for several workers; default: our own.
        tracking: whether MLflow is told.
        tracking_uri: MLflow; default: ``runs/mlflow.db``.
        quiet: print nothing; else a line per epoch.

    Returns:
        The folder, which ``evaluate`` and ``package`` take (of several seeds, one of them).

    Raises:
        ValueError: in one sentence, if config, teacher or hardware cannot be had, the folder
            belongs to another config, or training diverges.
    """
    count, named = (seeds, ()) if isinstance(seeds, int) else (None, tuple(seeds))
    request = TrainingRequest(
        Path(config),
        Path(output) if output is not None else None,
        Path(teachers),
        chosen_seeds(Path(config), count, named),
        epochs=epochs,
        gpus=gpus,
        workers=workers,
        address=address,
        tracking_uri=tracking_uri,
        tracking=tracking,
    )
    train_and_show(request, console_for(quiet=quiet))
    return request.folder


@dataclass(frozen=True)
class Packaged:
    """A student as programs.

    Attributes:
        folder: holds everything.
        card: the model card, Markdown.
        checks: a row per program, PyTorch's own first: accuracies in [0, 1] on the same clean and
            attacked test images, ``max_difference`` of a logit, how many images are ``differing``
            in their predicted class, ``bytes``, and median milliseconds for a batch (``ms_1`` …).
    """

    folder: Path
    card: Path
    checks: pd.DataFrame


def package(
    checkpoint: str | Path, output: str | Path | None = None, *, formats: str | None = None
) -> Packaged:
    """Make ONNX and torch.export programs of a student, check them, and write its model card.

    Args:
        checkpoint: a checkpoint.pt, student.safetensors, or a folder that holds one.
        output: folder; default: ``package``, beside the checkpoint.
        formats: ``onnx``, ``pt2`` or ``onnx,pt2``; default: both.

    Raises:
        ValueError: in one sentence, if there is no student, it cannot be exported, or a program
            does not say what the student says.
    """
    made, card = package_student(
        str(checkpoint), None if output is None else Path(output), chosen_formats(formats), _silent
    )
    return Packaged(card.parent, card, _checks(made))


def _silent(_: str) -> None:
    """A notebook is not told every step."""


def _checks(made: Package) -> pd.DataFrame:
    runtimes = {f"student.{form}": name for form, name in RUNTIMES.items()}
    rows: list[dict[str, Any]] = [
        {
            "program": name,
            "images": found.images,
            "clean_accuracy": found.clean_accuracy,
            "robust_accuracy": found.robust_accuracy,
            "max_difference": found.max_difference,
            "differing": len(found.differing),
            "bytes": made.sizes.get(name),
            **{f"ms_{n}": made.timings[runtimes.get(name, name)][n].median_ms for n in BATCHES},
        }
        for name, found in {EAGER: made.network, **made.agreements}.items()
    ]
    return pd.DataFrame(rows).set_index("program")
