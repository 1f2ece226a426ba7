"""WideResNets of any depth and width, entered into timm's registry when they are named."""

import re
from functools import partial

import timm

from trainables.models.deepmind_wide_resnet import DeepMindWideResNet
from trainables.models.entry import register
from trainables.models.wide_resnet import WideResNet, blocks_per_group

PATTERN = re.compile(r"(?P<family>wide_resnet|dm_wide_resnet)_(?P<depth>\d+)_(?P<width>[1-9]\d*)")

DEEPEST, WIDEST = 1000, 64

FAMILIES: dict[str, type[WideResNet] | type[DeepMindWideResNet]] = {
    "wide_resnet": WideResNet,
    "dm_wide_resnet": DeepMindWideResNet,
}

LISTED = (
    *(f"wide_resnet_{pair}" for pair in ("10_1", "10_2", "16_1", "16_2", "28_10")),
    *(f"wide_resnet_{pair}" for pair in ("34_10", "34_20", "70_16")),
    *(f"dm_wide_resnet_{pair}" for pair in ("28_10", "34_10", "34_20", "70_16", "94_16")),
)
"""Those of the papers, which listings show; any other pair of depth and width works as well."""


def register_by_pattern(name: str) -> None:
    """Enter ``name`` into timm's registry if it is a WideResNet's and not yet there.

    Raises:
        ValueError: if it names a depth that no WideResNet has, or one that nobody could build.
    """
    match = PATTERN.fullmatch(name)
    if match is None or timm.is_model(name):
        return
    depth, width = int(match["depth"]), int(match["width"])
    if depth > DEEPEST or width > WIDEST:
        raise ValueError(
            f"a WideResNet by name may have a depth of at most {DEEPEST} and a width of at most "
            f"{WIDEST}, got {depth} and {width} in {name!r}"
        )
    blocks_per_group(depth)
    network = FAMILIES[match["family"]]
    register(name, partial(network, depth, width), network.__module__)


for _name in LISTED:
    register_by_pattern(_name)
