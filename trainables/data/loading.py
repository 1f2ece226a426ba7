"""From a config to splits on a device."""

from functools import lru_cache

import torch

from trainables.data.config import DataConfig
from trainables.data.extra import open_extra
from trainables.data.resident import WithExtra
from trainables.data.sets import DATASETS
from trainables.data.sizes import check_augmentation
from trainables.data.sources import Part
from trainables.data.streaming import Streamed, resident
from trainables.splits import Data, Split, TrainingSet

MOST_RESIDENT = 4 * 2**30
"""Bytes of uint8 training images that ``storage: auto`` keeps in the memory of a machine."""

GPU_SHARE = 4
"""On a GPU it is one part in so many of the memory that is free."""

PER_BATCH = ("batch_size", "crop_padding", "flip", "crop_scale", "color_jitter", "cutout")
"""Settings that make no difference to what is loaded."""


def load_data(config: DataConfig, device: torch.device) -> Data:
    """Load and split a data set onto ``device``; cached for actors that serve many trials.

    Raises:
        ValueError: if files are missing or damaged, there are too few images for the splits, or
            augmentation would leave nothing of them.
    """
    usual = {key: DataConfig.model_fields[key].default for key in PER_BATCH}
    data = _load(config.model_copy(update=usual), device)
    check_augmentation(config, data.image_shape)
    return data


@lru_cache(maxsize=2)
def _load(config: DataConfig, device: torch.device) -> Data:
    parts = DATASETS[config.name].load(config)
    shape, workers = parts.train.source.image_shape, config.loading.num_workers
    extra = None
    if config.extra is not None:
        extra = open_extra(config.extra, shape, parts.num_classes)

    def split(part: Part) -> Split:
        return resident(part, device, workers=workers)

    if stays(config, parts.train.num_bytes + (extra.num_bytes if extra else 0), device):
        original = split(parts.train)
        train: TrainingSet = original if extra is None else WithExtra(original, split(extra))
    else:
        train = Streamed(parts.train, device, workers, extra)
    return Data(train, split(parts.validation), lambda: split(parts.test()), parts.num_classes)


def stays(config: DataConfig, num_bytes: int, device: torch.device) -> bool:
    """Whether so many bytes of training images are kept on the device."""
    if config.loading.storage != "auto":
        return config.loading.storage == "device"
    limit = MOST_RESIDENT
    if device.type == "cuda":
        limit = torch.cuda.mem_get_info(device)[0] // GPU_SHARE
    return num_bytes <= limit
