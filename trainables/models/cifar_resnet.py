"""ResNets for small images: timm's ResNet with a 3x3 stem of stride 1 and no pooling after it."""

from typing import Any

from timm.models import register_model
from timm.models.resnet import BasicBlock, ResNet
from torch import nn


def _cifar_resnet(layers: tuple[int, ...], channels: tuple[int, ...], pretrained: bool, **kwargs: Any) -> ResNet:
    if pretrained:
        raise ValueError("ResNets for small images have no pretrained weights; give a checkpoint instead")
    accepted = {key: kwargs[key] for key in ("num_classes", "in_chans") if key in kwargs}
    network = ResNet(BasicBlock, layers, channels=channels, zero_init_last=False, **accepted)
    network.conv1 = nn.Conv2d(accepted.get("in_chans", 3), 64, 3, padding=1, bias=False)
    network.maxpool = nn.Identity()
    nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")
    return network


@register_model
def cifar_resnet18(pretrained: bool = False, **kwargs: Any) -> ResNet:
    """ResNet-18 at 32x32 pixels, 11.2 million parameters (He et al., 2016; the usual CIFAR variant)."""
    return _cifar_resnet((2, 2, 2, 2), (64, 128, 256, 512), pretrained, **kwargs)
