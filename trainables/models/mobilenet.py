"""MobileNetV2 for small images (Sandler et al., 2018), the student of the distillation papers."""

from torch import Tensor, nn
from torch.nn import functional as F

from trainables.models.entry import register
from trainables.models.intermediates import IntermediatesMixin

STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 1),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, channels, blocks, stride; at 32 pixels the second stage keeps the resolution."""


class InvertedResidual(nn.Module):
    """1x1 up, 3x3 by channel, 1x1 down without activation; a shortcut where nothing is strided.

    Differs from the paper as the papers on robust distillation do: ReLU in place of ReLU6, and a
    1x1 convolution as shortcut where the channels change.
    """

    def __init__(self, in_channels: int, out_channels: int, *, expansion: int, stride: int) -> None:
        super().__init__()
        inner = expansion * in_channels
        self.strided = stride != 1
        self.conv1 = nn.Conv2d(in_channels, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, padding=1, groups=inner, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        changes = not self.strided and in_channels != out_channels
        self.shortcut = (
            nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels)
            )
            if changes
            else nn.Sequential()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, in, h, w)`` to ``(batch, out, h / stride, w / stride)``."""
        inner = F.relu(self.bn1(self.conv1(x)))
        residual: Tensor = self.bn3(self.conv3(F.relu(self.bn2(self.conv2(inner)))))
        return residual if self.strided else residual + self.shortcut(x)


class MobileNetV2(IntermediatesMixin, nn.Module):
    """Seventeen inverted residuals in seven stages; 2,296,922 parameters with ten classes."""

    def __init__(self, *, num_classes: int = 10, in_chans: int = 3) -> None:
        super().__init__()
        self.num_classes, self.num_features = num_classes, 1280
        self.conv1 = nn.Conv2d(in_chans, 32, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(32)
        blocks: list[nn.Module] = []
        self.stage_ends: list[int] = []
        channels = 32
        for expansion, width, count, first_stride in STAGES:
            for stride in (first_stride, *[1] * (count - 1)):
                blocks.append(InvertedResidual(channels, width, expansion=expansion, stride=stride))
                channels = width
            self.stage_ends.append(len(blocks) - 1)
        self.layers = nn.Sequential(*blocks)
        self.conv2 = nn.Conv2d(320, 1280, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(1280)
        self.linear = nn.Linear(1280, num_classes)

    def stages(self, x: Tensor) -> list[Tensor]:
        """Feature maps after each stage but the last, then the 1280 channels that the head sees."""
        x = F.relu(self.bn1(self.conv1(x)))
        maps = []
        for number, block in enumerate(self.layers):
            x = block(x)
            if number in self.stage_ends:
                maps.append(x)
        return [*maps[:-1], F.relu(self.bn2(self.conv2(x)))]

    def forward_head(self, features: Tensor) -> Tensor:
        """Average over positions, then the linear classifier."""
        logits: Tensor = self.linear(features.mean(dim=(2, 3)))
        return logits


register("cifar_mobilenetv2", MobileNetV2, __name__)
