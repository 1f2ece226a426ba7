"""A package on disk: its numbers, its config, its model card."""

import json
from pathlib import Path
from typing import Any

from trainables.models import cost
from trainables.programs.agreement import Agreement
from tuner.exporting.config_files import config_text
from tuner.exporting.made_with import commit
from tuner.packaging.facts import cpu, target_attack
from tuner.packaging.making import Package, sha256
from tuner.packaging.model_card import model_card
from tuner.storage.atomic import write_atomically

SHOWN = 5
"""Numbers of differing images that an error names."""


NAMES = {"student.onnx", "student.pt2", "config.yaml", "package.json", "README.md"}
"""What a package may hold."""


def refuse_foreign(folder: Path) -> None:
    """See that a package overwrites nothing but an earlier one.

    Raises:
        ValueError: if the folder holds something else, such as a README of its own.
    """
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    # written in this order: programs, package.json, the rest
    allowed = NAMES if "package.json" in there else {"student.onnx", "student.pt2"}
    if foreign := sorted(name for name in there - allowed if not name.endswith(".part")):
        raise ValueError(
            f"folder {folder} holds something else than a package ({', '.join(foreign[:SHOWN])}); "
            "name an empty or a new one with --output"
        )


def write_package(package: Package, folder: Path) -> Path:
    """Write ``package.json``, ``config.yaml`` and the model card.

    Args:
        package: what was made; its programs are in the folder already.
        folder: where.

    Returns:
        The model card, ``README.md``.

    Raises:
        ValueError: if a program does not say what the student says; there is no card then.
    """
    content = json.dumps(as_json(package), indent=2, allow_nan=False) + "\n"
    write_atomically(folder / "package.json", content)
    config = package.target.config.model_dump(mode="json")
    path = folder / "config.yaml"
    write_atomically(path, config_text(config, package.provenance, path))
    card = folder / "README.md"
    if package.wrong:
        card.unlink(missing_ok=True)
        raise ValueError(disagreement(package))
    return write_atomically(card, model_card(package))


def disagreement(package: Package) -> str:
    """Which programs say something else than the student, of which images."""
    parts = []
    for name, found in package.wrong.items():
        first = ", ".join(map(str, found.differing[:SHOWN]))
        more = ", …" if len(found.differing) > SHOWN else ""
        parts.append(
            f"{name} on {len(found.differing)} of {found.images} test images ({first}{more}; "
            f"largest difference of a logit {found.max_difference:.2g})"
        )
    return (
        f"not good to ship: other predictions than PyTorch's by {' and by '.join(parts)}; "
        "keep the other format with --format, or ship the checkpoint"
    )


def as_json(package: Package) -> dict[str, Any]:
    """Every number of the package and what it depends on."""
    return {
        "good": not package.wrong,
        **_student(package),
        "threat": package.target.config.threat.model_dump(mode="json"),
        "attack": target_attack(package),
        "split": "test",
        "network": _agreement(package.network),
        "programs": {
            name: {**_agreement(found), "bytes": package.sizes[name]}
            for name, found in package.agreements.items()
        },
        "milliseconds": {
            runtime: {str(n): time._asdict() for n, time in times.items()}
            for runtime, times in package.timings.items()
        },
        **_origin(package),
    }


def _student(package: Package) -> dict[str, Any]:
    architecture, shape = package.target.architecture, package.data.image_shape
    classes = package.data.num_classes
    return {
        "architecture": architecture,
        **cost(architecture, shape, classes)._asdict(),
        "data": package.target.config.data.name,
        "classes": classes,
        "input": {"name": "images", "type": "float32", "shape": ["batch", *shape]},
        "range": [0.0, 1.0],
        "output": {"name": "logits", "shape": ["batch", classes]},
    }


def _origin(package: Package) -> dict[str, Any]:
    origin, path = package.provenance, package.target.path
    return {
        "cpu": cpu(),
        "threads": 1,
        "checkpoint": str(path),
        "checkpoint_sha256": sha256(path),
        "provenance": origin.model_dump(mode="json") if origin else None,
        "evaluation": package.evaluation,
        "notes": list(package.target.notes),
        "commit": commit(),
        "versions": package.versions,
    }


def _agreement(found: Agreement) -> dict[str, Any]:
    return {
        "images": found.images,
        "clean_accuracy": found.clean_accuracy,
        "robust_accuracy": found.robust_accuracy,
        "max_difference": found.max_difference,
        "differing": list(found.differing),
    }
