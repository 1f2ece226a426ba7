"""ResNets for small images (He et al., 2016): timm's with another stem, and the thin ones."""

from functools import partial
from typing import Any

from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from torch import Tensor, nn
from torch.nn import functional as F

from trainables.models.entry import register
from trainables.models.intermediates import IntermediatesMixin


def cifar_resnet(
    block: Any, layers: tuple[int, ...], *, num_classes: int = 10, in_chans: int = 3
) -> ResNet:
    """A timm ResNet with a 3x3 stem of stride 1 and no pooling after it.

    The usual CIFAR variant; the last map is an eighth of the image's side.

    Args:
        block: timm's ``BasicBlock`` or ``Bottleneck``.
        layers: blocks per stage.
        num_classes: logits.
        in_chans: colours.
    """
    network = ResNet(
        block, layers, zero_init_last=False, num_classes=num_classes, in_chans=in_chans
    )
    stem = nn.Conv2d(in_chans, 64, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(stem.weight, mode="fan_out", nonlinearity="relu")
    network.register_module("conv1", stem)
    network.register_module("maxpool", nn.Identity())
    return network


class ThinBlock(nn.Module):
    """conv-BN-ReLU-conv-BN, plus the input as it is: subsampled, further channels are zero.

    He et al. (2016) call that shortcut option A and use it in all their CIFAR networks.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.stride, self.new_channels = stride, out_channels - in_channels
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, in, h, w)`` to ``(batch, out, h / stride, w / stride)``."""
        before = self.new_channels // 2
        channels = (0, 0, 0, 0, before, self.new_channels - before)
        shortcut = F.pad(x[:, :, :: self.stride, :: self.stride], channels)
        residual: Tensor = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(shortcut + residual)


class ThinResNet(IntermediatesMixin, nn.Module):
    """ResNet of depth 6n + 2 with 16, 32 and 64 channels (He et al., 2016, Sec. 4.2)."""

    def __init__(self, depth: int, *, num_classes: int = 10, in_chans: int = 3) -> None:
        super().__init__()
        num_blocks = (depth - 2) // 6
        self.num_classes, self.num_features = num_classes, 64
        self.conv1 = nn.Conv2d(in_chans, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = _thin_stage(num_blocks, 16, 16)
        self.layer2 = _thin_stage(num_blocks, 16, 32)
        self.layer3 = _thin_stage(num_blocks, 32, 64)
        self.linear = nn.Linear(64, num_classes)
        self.apply(_he_initialise)

    def stages(self, x: Tensor) -> list[Tensor]:
        """Feature maps after each stage."""
        first = self.layer1(F.relu(self.bn1(self.conv1(x))))
        second = self.layer2(first)
        return [first, second, self.layer3(second)]

    def forward_head(self, features: Tensor) -> Tensor:
        """Average over positions, then the linear classifier."""
        logits: Tensor = self.linear(features.mean(dim=(2, 3)))
        return logits


def _thin_stage(num_blocks: int, in_channels: int, out_channels: int) -> nn.Sequential:
    first = ThinBlock(in_channels, out_channels, stride=out_channels // in_channels)
    return nn.Sequential(
        first, *(ThinBlock(out_channels, out_channels, 1) for _ in range(num_blocks - 1))
    )


def _he_initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")


register("cifar_resnet18", partial(cifar_resnet, BasicBlock, (2, 2, 2, 2)), __name__)
register("cifar_resnet34", partial(cifar_resnet, BasicBlock, (3, 4, 6, 3)), __name__)
register("cifar_resnet50", partial(cifar_resnet, Bottleneck, (3, 4, 6, 3)), __name__)
register("cifar_resnet20", partial(ThinResNet, 20), __name__)
register("cifar_resnet56", partial(ThinResNet, 56), __name__)
