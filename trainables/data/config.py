"""Which images, how they are split, and what training does to them."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from trainables.data.sets import DATASETS
from trainables.data.sizes import check_batch_size, check_sizes
from trainables.frozen import Frozen
from trainables.paths import usable
from trainables.spelling import unknown

FEWEST_IMAGES_PER_CLASS = 20
"""With fewer, a split may lack a class."""


class ExtraConfig(Frozen):
    """Images of another source, such as a diffusion model, mixed into every training batch."""

    path: Path = Field(
        description="npz file with 'image' or 'images' (uint8, channels first or last) and "
        "'label' or 'labels' (whole numbers from 0), as of Gowal et al. and Wang et al."
    )
    ratio: float = Field(
        0.7,
        gt=0,
        lt=1,
        description="share of every batch that is extra, rounded to images, at least one of each "
        "kind; the epoch keeps its number of steps",
    )
    sha256: str | None = Field(
        None,
        pattern="^[0-9a-f]{64}$",
        description="of the file; another file is refused; default: not checked",
    )

    _check_path = field_validator("path")(usable)


class LoadingConfig(Frozen):
    """How images get from files to the device; nothing here changes a number."""

    storage: Literal["auto", "device", "stream"] = Field(
        "auto",
        description="where training images are: uint8 on the device, or read when a step needs "
        "them; auto: on the device up to 4 GiB, or up to a quarter of a GPU's free memory",
    )
    workers: int | None = Field(
        None,
        ge=0,
        description="processes that read and decode ahead; 0: the training process itself; "
        "default: one per processor, at most 4",
    )
    cache: Literal["none", "disk"] = Field(
        "none", description="disk: decoded image files are kept as uint8 under data.root"
    )
    download: bool = Field(
        True, description="fetch cifar10, cifar100, svhn and tiny_imagenet where they are missing"
    )

    @property
    def num_workers(self) -> int:
        """Processes that read ahead on this machine."""
        return min(4, _num_processors()) if self.workers is None else self.workers


def _num_processors() -> int:
    """Those that this process may use; not every system can say it."""
    may_use = getattr(os, "sched_getaffinity", None)
    return len(may_use(0)) if may_use else os.cpu_count() or 1


class DataConfig(Frozen):
    """Which images, and how they are split."""

    name: str = Field("digits", description="data set; see trainables.data.DATASETS")
    classes: int | None = Field(
        None,
        ge=2,
        description="number of classes, the first so many of the data set. glyphs: 2 to "
        "10, the outlines, whatever mark is inside; 11 to 100, pairs of outline and mark; default: "
        "all of them, 10 of glyphs",
    )
    images: int | None = Field(
        None,
        description="number of images in all three splits together, at least 20 per class, one in "
        "six for test; digits and glyphs: the first so many; others: as many of every class, drawn "
        "by split_seed; default: all",
    )
    root: Path = Field(
        Path("~/.cache/robust-distillation"),
        description="folder for what is downloaded, drawn or cached; unused by 'digits'",
    )
    split_seed: int = Field(
        0, ge=0, description="seed of the split by class; part of the data's identity"
    )
    batch_size: int = Field(
        100, ge=2, description="images per training step; the last partial batch is dropped"
    )
    crop_padding: int = Field(
        0,
        ge=0,
        description="pixels of zero padding before a random crop; 4 is the CIFAR convention",
    )
    flip: bool = Field(False, description="mirror half of the training images")
    path: Path | None = Field(
        None, description="folder of the images of 'imagenet' and 'folder'; only those have one"
    )
    resolution: int | None = Field(
        None,
        ge=8,
        description="height and width in pixels to which image files are resized, shorter side "
        "first, then cropped at the centre; default: tiny_imagenet 64, imagenet 224",
    )
    validation_images: int | None = Field(
        None,
        ge=2,
        description="images held out of the training images by class; default: a tenth, at most "
        "5,000; digits 297",
    )
    test_images: int | None = Field(
        None,
        ge=2,
        description="images of the test split, drawn by class; default: all, of imagenet 5,000; "
        "digits 300",
    )
    crop_scale: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="smallest share of an image's area that a random window, enlarged to the "
        "whole, may have; 0.08 is the ImageNet convention",
    )
    color_jitter: float = Field(
        0.0,
        ge=0,
        le=1,
        description="brightness, contrast and saturation of every training image are multiplied "
        "by uniform factors in 1 ± this",
    )
    cutout: int = Field(0, ge=0, description="side in pixels of a grey square in training images")
    extra: ExtraConfig | None = Field(
        None, description="further images mixed into every training batch"
    )
    loading: LoadingConfig = LoadingConfig()

    _check_paths = field_validator("root", "path")(usable)

    @model_validator(mode="before")
    @classmethod
    def _follow_the_data_set(cls, values: Any) -> Any:
        """What the data set decides where nothing is said."""
        if not isinstance(values, Mapping):
            return values
        name = values.get("name", "digits")
        dataset = DATASETS.get(name) if isinstance(name, str) else None
        if dataset is None:
            return values
        own = {"classes": dataset.classes, "resolution": dataset.resolution}
        missing = {key: value for key, value in own.items() if values.get(key) is None}
        return {**values, **missing}

    @model_serializer(mode="wrap")
    def _as_before(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without later settings that are at their default.

        So fingerprints, recordings and checkpoints from before them stay valid.
        """
        content: dict[str, Any] = handler(self)
        return {
            key: value
            for key, value in content.items()
            if key not in LATER or getattr(self, key) != LATER[key]
        }

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in DATASETS:
            raise ValueError(unknown("data set", name, DATASETS))
        return name

    @model_validator(mode="after")
    def _there_is_so_much(self) -> Self:
        dataset, classes = DATASETS[self.name], self.classes
        if classes is None or dataset.num_images is None or dataset.max_classes is None:
            return self
        if classes > dataset.max_classes:
            raise ValueError(
                f"classes of data set {self.name!r} must be from 2 to {dataset.max_classes}, "
                f"got {classes}"
            )
        fewest, most = FEWEST_IMAGES_PER_CLASS * classes, dataset.num_images(classes)
        if self.images is not None and not fewest <= self.images <= most:
            raise ValueError(
                f"images of data set {self.name!r} with {classes} classes must be from {fewest} "
                f"to {most}, got {self.images}"
            )
        if dataset.sizes is not None:
            check_sizes(dataset.sizes(self), self, classes)
        self.check_batch_size("data.batch_size", self.batch_size)
        return self

    @model_validator(mode="after")
    def _files_are_named(self) -> Self:
        dataset = DATASETS[self.name]
        if dataset.needs_path != (self.path is not None):
            expected = "name the folder of its images" if dataset.needs_path else "be left out"
            raise ValueError(f"path of data set {self.name!r} must {expected}, got {self.path}")
        if dataset.has_files != (self.resolution is not None):
            expected = "be given, in pixels" if dataset.has_files else "be left out"
            raise ValueError(
                f"resolution of data set {self.name!r} must {expected}, got {self.resolution}"
            )
        return self

    @property
    def num_images(self) -> int | None:
        """Images in all three splits together; None where only the files tell."""
        count = DATASETS[self.name].num_images
        if self.images is not None or count is None or self.classes is None:
            return self.images
        return count(self.classes)

    def check_batch_size(self, field: str, batch_size: int) -> None:
        """See that a batch of this size can be filled, as far as can be said before loading.

        Raises:
            ValueError: if there are fewer training images.
        """
        sizes = DATASETS[self.name].sizes
        if sizes is not None:
            check_batch_size(field, batch_size, sizes(self).train, self)


LATER: dict[str, Any] = {
    key: DataConfig.model_fields[key].default
    for key in (
        "path",
        "resolution",
        "validation_images",
        "test_images",
        "crop_scale",
        "color_jitter",
        "cutout",
        "extra",
        "loading",
    )
}
"""Settings that came after the first recorded configs, with their defaults."""
