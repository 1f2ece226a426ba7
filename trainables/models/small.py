"""Students of a few thousand parameters for images of 8x8 pixels."""

from typing import Any

from timm.models import register_model
from torch import Tensor, nn
from torch.nn import functional as F

from trainables.models.entry import accepted, refuse_pretrained
from trainables.models.intermediates import IntermediatesMixin
from trainables.models.wide_resnet import WideResNet


class ResidualBlock(nn.Module):
    """conv-BN-ReLU-conv-BN plus a shortcut, then ReLU (He et al., 2016)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        same = stride == 1 and in_channels == out_channels
        self.shortcut = (
            nn.Identity() if same else nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, in, h, w)`` to ``(batch, out, h / stride, w / stride)``."""
        return F.relu(self.shortcut(x) + self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))


class SmallResNet(IntermediatesMixin, nn.Module):
    """A residual block per width, each but the first halving the resolution."""

    def __init__(
        self, widths: tuple[int, ...], *, num_classes: int = 10, in_chans: int = 1
    ) -> None:
        super().__init__()
        self.num_classes, self.num_features = num_classes, widths[-1]
        self.stem = nn.Sequential(
            nn.Conv2d(in_chans, widths[0], 3, padding=1, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(),
        )
        inputs = (widths[0], *widths)
        self.blocks = nn.ModuleList(
            ResidualBlock(inputs[i], width, stride=1 if i == 0 else 2)
            for i, width in enumerate(widths)
        )
        self.fc = nn.Linear(widths[-1], num_classes)

    def stages(self, x: Tensor) -> list[Tensor]:
        """Feature maps after each block."""
        maps = [self.stem(x)]
        for block in self.blocks:
            maps.append(block(maps[-1]))
        return maps[1:]

    def forward_head(self, features: Tensor) -> Tensor:
        """Average over positions, then the linear classifier."""
        logits: Tensor = self.fc(features.mean(dim=(2, 3)))
        return logits


@register_model
def small_resnet6(pretrained: bool = False, **kwargs: Any) -> SmallResNet:
    """Two residual blocks of widths 8 and 16; 5,090 parameters."""
    refuse_pretrained("small_resnet6", pretrained)
    return SmallResNet((8, 16), **accepted(kwargs, "num_classes", "in_chans"))


@register_model
def small_resnet6_half(pretrained: bool = False, **kwargs: Any) -> SmallResNet:
    """``small_resnet6`` at half its widths; 1,366 parameters."""
    refuse_pretrained("small_resnet6_half", pretrained)
    return SmallResNet((4, 8), **accepted(kwargs, "num_classes", "in_chans"))


@register_model
def small_resnet6_double(pretrained: bool = False, **kwargs: Any) -> SmallResNet:
    """``small_resnet6`` at twice its widths; 19,642 parameters."""
    refuse_pretrained("small_resnet6_double", pretrained)
    return SmallResNet((16, 32), **accepted(kwargs, "num_classes", "in_chans"))


@register_model
def small_resnet6_quadruple(pretrained: bool = False, **kwargs: Any) -> SmallResNet:
    """``small_resnet6`` at four times its widths; 77,162 parameters."""
    refuse_pretrained("small_resnet6_quadruple", pretrained)
    return SmallResNet((32, 64), **accepted(kwargs, "num_classes", "in_chans"))


@register_model
def small_resnet8(pretrained: bool = False, **kwargs: Any) -> SmallResNet:
    """Three residual blocks of widths 32, 64 and 64; 155,242 parameters; a teacher."""
    refuse_pretrained("small_resnet8", pretrained)
    return SmallResNet((32, 64, 64), **accepted(kwargs, "num_classes", "in_chans"))


@register_model
def small_wide_resnet10(pretrained: bool = False, **kwargs: Any) -> WideResNet:
    """WRN-10-1 at a quarter of its usual width; 5,094 parameters."""
    refuse_pretrained("small_wide_resnet10", pretrained)
    taken = accepted(kwargs, "num_classes", "in_chans")
    return WideResNet(10, 1, base_width=4, **{"in_chans": 1, **taken})
