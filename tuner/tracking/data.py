"""The images of a trial as MLflow's data set inputs: what they are, not the images themselves."""

import hashlib
import json
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from trainables.data import DATASETS, DataConfig
from trainables.data.decoding import ImageFiles
from trainables.data.loading import PER_BATCH
from trainables.data.sets import Parts
from trainables.data.sources import Part
from trainables.frozen import fingerprint
from tuner.tracking.client import Dataset, DatasetInput, InputTag

DIGITS = 32
"""Hex digits of a digest; MLflow takes 36."""

CHUNK = 4096
"""Images that are in memory at once while a digest is taken."""

NOT_THE_DATA = {*PER_BATCH, "root", "loading"}
"""Settings that change neither which images there are nor how they are split."""


def inputs(config: Mapping[str, Any]) -> list[DatasetInput]:
    """The training and the validation split of a trial's config, as JSON types.

    Each has a digest of its labels and pixels in their order, of image files of their names and
    sizes instead. Where this machine does not have the images, both are known by their settings
    alone. The test split is not opened.
    """
    return list(_inputs(json.dumps(config["data"], sort_keys=True)))


@lru_cache(maxsize=8)
def _inputs(data: str) -> tuple[DatasetInput, ...]:
    config = DataConfig.model_validate_json(data)
    parts = _present(config)
    return tuple(
        DatasetInput(
            _dataset(config, context, part, None if parts is None else parts.num_classes),
            [InputTag("mlflow.data.context", context)],
        )
        for context, part in (
            ("train", parts and parts.train),
            ("validation", parts and parts.validation),
        )
    )


def _present(config: DataConfig) -> Parts | None:
    """The splits, if nothing has to be fetched; a driver need not have what its workers have."""
    here = config.loading.model_copy(update={"download": False, "cache": "none"})
    try:
        return DATASETS[config.name].load(config.model_copy(update={"loading": here}))
    except (ValueError, OSError):
        return None


def _dataset(
    config: DataConfig, context: str, part: Part | None, num_classes: int | None
) -> Dataset:
    settings = {k: v for k, v in config.model_dump(mode="json").items() if k not in NOT_THE_DATA}
    digest, facts = fingerprint({**settings, "split": context}), {"digest_of": "settings"}
    if part is not None:
        digest, facts = _digest(part, settings), _facts(part)
    profile = {"split": context, "num_classes": num_classes or config.classes, **facts}
    return Dataset(
        name=f"{config.name} ({context})",
        digest=digest,
        source_type="code",  # MLflow's name for what is not at an address
        source=json.dumps({"tags": {"data": json.dumps(settings)}}),
        schema=None if part is None else json.dumps(_schema(part)),
        profile=json.dumps(profile),
    )


def _facts(part: Part) -> dict[str, Any]:
    files = isinstance(part.source, ImageFiles)
    return {
        "num_images": len(part),
        "shape": list(part.source.image_shape),
        "digest_of": "labels, names and sizes of files" if files else "labels, pixels",
    }


def _digest(part: Part, settings: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(settings.get("extra")).encode())
    digest.update(np.ascontiguousarray(part.labels, dtype=np.int64).data)
    digest.update(f"{part.source.image_shape} {part.source.highest}".encode())
    if isinstance(part.source, ImageFiles):
        for name in part.source.files[part.rows]:
            path = os.fsdecode(name)
            digest.update(f"{Path(path).name} {_size(path)}\n".encode())
        return digest.hexdigest()[:DIGITS]
    for first in range(0, len(part), CHUNK):
        levels = part.source.levels(part.rows[first : first + CHUNK])
        digest.update(np.ascontiguousarray(levels).data)
    return digest.hexdigest()[:DIGITS]


def _size(path: str) -> int:
    """Bytes of a file; -1 if it is gone, which is another data set."""
    try:
        return Path(path).stat().st_size
    except OSError:
        return -1


def _schema(part: Part) -> dict[str, Any]:
    """As MLflow writes the schema of tensors: images as a student gets them, and labels."""

    def tensors(dtype: str, *shape: int) -> str:
        return json.dumps(
            [{"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": [-1, *shape]}}]
        )

    features = tensors("float32", *part.source.image_shape)
    return {"mlflow_tensorspec": {"features": features, "targets": tensors("int64")}}
