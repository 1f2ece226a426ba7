"""Telling from a checkpoint's keys and shapes what network it is of, in whose layout."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from trainables.models.fitting import channels_of, difference, image_size_of, num_classes_of
from trainables.models.normalization import KNOWN, ChannelStatistics
from trainables.models.wrapping import Weights

SMALL = [f"small_resnet{name}" for name in ("6", "6_half", "6_double", "6_quadruple", "8")]
THREE_STAGES = ["cifar_resnet20", "cifar_resnet56"]
RESNETS = [f"resnet{depth}" for depth in (18, 34, 50, 101, 152)] + [
    "wide_resnet50_2",
    "wide_resnet101_2",
    "resnext50_32x4d",
    "resnext101_32x8d",
]
VITS = ["vit_pico_patch2_8"] + [
    f"{family}_patch{patch}_224"
    for family in ("vit_tiny", "vit_small", "vit_base", "vit_large", "deit3_small", "deit3_base")
    for patch in (16, 32)
    if (family, patch) != ("vit_tiny", 32) and not (family.startswith("deit3") and patch == 32)
]
DISTILLED = [f"deit_{size}_distilled_patch16_224" for size in ("tiny", "small", "base")]
CONVNEXTS = [f"convnext_{size}" for size in ("atto", "tiny", "small", "base", "large")]
XCITS = [f"xcit_{size}_p16_224" for size in ("small_12", "medium_24", "large_24")]
SWINS = [f"swin_{size}_patch4_window7_224" for size in ("tiny", "small", "base")]

CIFAR_RESNETS: dict[tuple[tuple[int, ...], bool], str] = {
    ((2, 2, 2, 2), False): "cifar_resnet18",
    ((3, 4, 6, 3), False): "cifar_resnet34",
    ((3, 4, 6, 3), True): "cifar_resnet50",
}
"""By blocks in each layer, and whether a block has three convolutions."""


class Layout(NamedTuple):
    """How one code base names weights."""

    name: str
    """For people."""
    keys: tuple[str, ...]
    """All of them are there in this layout."""
    architecture: Callable[[Weights], str | None]
    """From weights in our keys; None if it cannot be told."""
    translate: Callable[[Weights], Weights] = dict
    """From the layout's keys to ours."""
    absent: tuple[str, ...] = ()
    """None of them is there in this layout."""
    standardises: bool = False
    """Whether its code standardises by the data set's statistics, outside the weights."""


class Facts(NamedTuple):
    """What weights say of the network that they are of."""

    layout: str
    architecture: str | None
    num_classes: int | None
    channels: int | None
    image_size: int | None
    """Pixels of a side; only transformers with a learnt position embedding know it."""
    normalization: ChannelStatistics | None
    """What the layout's code standardises by, where it does; not what the file brings."""


def _wide_resnet(weights: Weights) -> str | None:
    base, wide = len(weights["conv1.weight"]), len(weights["block1.layer.0.conv1.weight"])
    depth = 6 * _count(weights, "block1.layer.") + 4
    if (base, wide, depth) == (4, 4, 10):
        return "small_wide_resnet10"
    return f"wide_resnet_{depth}_{wide // 16}" if base == 16 and wide % 16 == 0 else None


def _deepmind(weights: Weights) -> str | None:
    wide = len(weights["layer.0.block.0.conv_0.weight"])
    depth = 6 * _count(weights, "layer.0.block.") + 4
    return f"dm_wide_resnet_{depth}_{wide // 16}" if wide % 16 == 0 else None


def _resnet(weights: Weights) -> str | None:
    if weights["conv1.weight"].shape[-1] == 3:
        counts = tuple(_count(weights, f"layer{group}.") for group in range(1, 5))
        return CIFAR_RESNETS.get((counts, "layer1.0.conv3.weight" in weights))
    return _first_fitting(RESNETS)(weights)


def _count(weights: Weights, prefix: str) -> int:
    """How many numbered blocks there are after a prefix."""
    return len(
        {key.removeprefix(prefix).split(".")[0] for key in weights if key.startswith(prefix)}
    )


def _as_timm(weights: Weights) -> Weights:
    """From kuangliu's names to timm's."""
    return {
        key.replace(".shortcut.", ".downsample.").replace("linear.", "fc."): value
        for key, value in weights.items()
    }


def _without_unused_block(weights: Weights) -> Weights:
    """TRADES' code builds a block that its forward pass never uses."""
    return {key: value for key, value in weights.items() if not key.startswith("sub_block1.")}


def _first_fitting(candidates: Iterable[str]) -> Callable[[Weights], str | None]:
    def first(weights: Weights) -> str | None:
        return next((name for name in candidates if not difference(name, weights)), None)

    return first


def _always(name: str) -> Callable[[Weights], str | None]:
    return lambda _: name


USUAL = {10: KNOWN["cifar10"], 100: KNOWN["cifar100"]}
"""What code that standardises outside the weights does, by the number of classes."""

LAYOUTS = (
    Layout(
        "TRADES / RobustBench WideResNet",
        ("conv1.weight", "block1.layer.0.conv1.weight", "fc.weight"),
        _wide_resnet,
        _without_unused_block,
    ),
    Layout(
        "DeepMind WideResNet",
        ("init_conv.weight", "layer.0.block.0.conv_0.weight", "logits.weight"),
        _deepmind,
        standardises=True,
    ),
    Layout(
        "kuangliu PreActResNet",
        ("conv1.weight", "layer1.0.bn1.weight", "linear.weight"),
        _always("cifar_preact_resnet18"),
        absent=("bn1.weight",),
    ),
    Layout(
        "CIFAR ResNet of three stages",
        ("conv1.weight", "bn1.weight", "layer3.0.conv1.weight", "linear.weight"),
        _first_fitting(THREE_STAGES),
        absent=("layer4.0.conv1.weight",),
    ),
    Layout(
        "kuangliu ResNet",
        ("conv1.weight", "bn1.weight", "layer1.0.conv1.weight", "linear.weight"),
        _resnet,
        _as_timm,
    ),
    Layout(
        "kuangliu MobileNetV2",
        ("conv1.weight", "layers.0.conv1.weight", "layers.16.conv3.weight", "linear.weight"),
        _always("cifar_mobilenetv2"),
    ),
    Layout(
        "torchvision / timm ResNet",
        ("conv1.weight", "bn1.weight", "layer1.0.conv1.weight", "fc.weight"),
        _resnet,
    ),
    Layout(
        "small ResNet",
        ("stem.0.weight", "blocks.0.conv1.weight", "fc.weight"),
        _first_fitting(SMALL),
    ),
    Layout("timm XCiT", ("cls_attn_blocks.0.attn.q.weight",), _first_fitting(XCITS)),
    Layout("timm DeiT", ("dist_token", "blocks.0.attn.qkv.weight"), _first_fitting(DISTILLED)),
    Layout("timm ViT", ("pos_embed", "blocks.0.attn.qkv.weight"), _first_fitting(VITS)),
    Layout("timm ConvNeXt", ("stages.0.blocks.0.conv_dw.weight",), _first_fitting(CONVNEXTS)),
    Layout("timm Swin", ("layers.0.blocks.0.attn.qkv.weight",), _first_fitting(SWINS)),
)
"""The first one that fits is taken."""

UNKNOWN = Layout("as its architecture has them", (), lambda _: None)


def layout_of(weights: Weights) -> Layout:
    """Whose layout the keys are in; one that changes nothing if it is nobody's we know."""
    return next(
        (
            layout
            for layout in LAYOUTS
            if weights.keys() >= set(layout.keys) and not weights.keys() & set(layout.absent)
        ),
        UNKNOWN,
    )


def translated(weights: Weights) -> Weights:
    """The weights under the names that our networks have for them."""
    return layout_of(weights).translate(weights)


def facts_of(weights: Weights) -> Facts:
    """All that the weights, as they are in the file, say of their network."""
    layout = layout_of(weights)
    ours = layout.translate(weights)
    num_classes, channels = num_classes_of(ours), channels_of(ours)
    standardises = layout.standardises and channels == 3
    return Facts(
        layout.name,
        layout.architecture(ours),
        num_classes,
        channels,
        image_size_of(ours),
        USUAL.get(num_classes or 0) if standardises else None,
    )
