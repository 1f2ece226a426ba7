"""PreActResNet-18 for small images (He et al., 2016b), keys as in Rice et al.'s checkpoints."""

from torch import Tensor, nn
from torch.nn import functional as F

from trainables.models.entry import register
from trainables.models.intermediates import IntermediatesMixin


class PreActBlock(nn.Module):
    """BN-ReLU-conv3x3 twice, with a 1x1 convolution as shortcut where the shape changes."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.shortcut = (
            nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False))
            if stride != 1 or in_channels != out_channels
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, in, h, w)`` to ``(batch, out, h / stride, w / stride)``."""
        activated = F.relu(self.bn1(x))
        shortcut: Tensor = x if self.shortcut is None else self.shortcut(activated)
        residual: Tensor = self.conv2(F.relu(self.bn2(self.conv1(activated))))
        return shortcut + residual


class PreActResNet18(IntermediatesMixin, nn.Module):
    """Four stages of two blocks with 64, 128, 256 and 512 channels; a 3x3 stem of stride 1."""

    def __init__(self, *, num_classes: int = 10, in_chans: int = 3) -> None:
        super().__init__()
        self.num_classes, self.num_features = num_classes, 512
        self.conv1 = nn.Conv2d(in_chans, 64, 3, padding=1, bias=False)
        self.layer1 = _stage(64, 64, stride=1)
        self.layer2 = _stage(64, 128, stride=2)
        self.layer3 = _stage(128, 256, stride=2)
        self.layer4 = _stage(256, 512, stride=2)
        self.bn = nn.BatchNorm2d(512)
        self.linear = nn.Linear(512, num_classes)

    def stages(self, x: Tensor) -> list[Tensor]:
        """Feature maps after each stage; the last one as the head sees it: after BN and ReLU."""
        maps = [self.conv1(x)]
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            maps.append(stage(maps[-1]))
        return [*maps[1:-1], F.relu(self.bn(maps[-1]))]

    def forward_head(self, features: Tensor) -> Tensor:
        """Average over positions, then the linear classifier."""
        logits: Tensor = self.linear(features.mean(dim=(2, 3)))
        return logits


def _stage(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        PreActBlock(in_channels, out_channels, stride), PreActBlock(out_channels, out_channels, 1)
    )


register("cifar_preact_resnet18", PreActResNet18, __name__)
