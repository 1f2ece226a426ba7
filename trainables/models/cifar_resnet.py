"""ResNets for small images: timm's ResNet with a 3x3 stem of stride 1 and no pooling after it."""

from typing import Any

from timm.models import register_model
from timm.models.resnet import BasicBlock, ResNet
from torch import nn


def _cifar_resnet(
    layers: tuple[int, ...], channels: tuple[int, ...], pretrained: bool, **kwargs: Any
) -> ResNet:
    if pretrained:
        raise ValueError(
            "ResNets for small images have no pretrained weights; give a checkpoint instead"
        )
    block: Any = BasicBlock  # timm annotates the class as if it were an instance
    accepted = {key: kwargs[key] for key in ("num_classes", "in_chans") if key in kwargs}
    network = ResNet(block, layers, channels=channels, zero_init_last=False, **accepted)
    stem = nn.Conv2d(accepted.get("in_chans", 3), 64, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(stem.weight, mode="fan_out", nonlinearity="relu")
    network.register_module("conv1", stem)
    network.register_module("maxpool", nn.Identity())
    return network


@register_model
def cifar_resnet18(pretrained: bool = False, **kwargs: Any) -> ResNet:
    """ResNet-18 at 32x32 pixels, 11.2 million parameters (He et al., 2016; CIFAR variant)."""
    return _cifar_resnet((2, 2, 2, 2), (64, 128, 256, 512), pretrained, **kwargs)
