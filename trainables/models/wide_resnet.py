"""WideResNet for small images (Zagoruyko & Komodakis, 2016), keys as in TRADES checkpoints."""

from torch import Tensor, nn
from torch.nn import functional as F

from trainables.models.intermediates import IntermediatesMixin


def blocks_per_group(depth: int) -> int:
    """Blocks of two convolutions in each of the three groups of a WideResNet.

    Raises:
        ValueError: if no WideResNet has that depth.
    """
    if depth < 10 or (depth - 4) % 6:
        raise ValueError(
            f"depth of a WideResNet must be 6n + 4 with n >= 1 (10, 16, 22, 28, 34, …), got {depth}"
        )
    return (depth - 4) // 6


class WideBasicBlock(nn.Module):
    """BN-ReLU-conv3x3 twice, with a 1x1 convolution as shortcut where the shape changes."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, padding=1, bias=False)
        self.convShortcut = (  # the name is part of the checkpoint layout
            nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            if in_channels != out_channels
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, in, h, w)`` to ``(batch, out, h / stride, w / stride)``."""
        activated = F.relu(self.bn1(x))
        shortcut: Tensor = x if self.convShortcut is None else self.convShortcut(activated)
        residual: Tensor = self.conv2(F.relu(self.bn2(self.conv1(activated))))
        return shortcut + residual


class WideGroup(nn.Module):
    """``num_blocks`` blocks of one width; the first one may stride."""

    def __init__(self, num_blocks: int, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.layer = nn.Sequential(
            WideBasicBlock(in_channels, out_channels, stride),
            *(WideBasicBlock(out_channels, out_channels, 1) for _ in range(num_blocks - 1)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Apply the blocks in order."""
        output: Tensor = self.layer(x)
        return output


class WideResNet(IntermediatesMixin, nn.Module):
    """WRN-``depth``-``widen_factor``.

    Three groups of widths 16k, 32k, 64k at full, half and quarter resolution.

    Raises:
        ValueError: if ``depth`` is not 6n + 4.
    """

    def __init__(
        self,
        depth: int,
        widen_factor: int,
        *,
        num_classes: int = 10,
        in_chans: int = 3,
        base_width: int = 16,
    ) -> None:
        super().__init__()
        num_blocks = blocks_per_group(depth)
        widths = [base_width, *(base_width * widen_factor * 2**group for group in range(3))]
        self.num_classes, self.num_features = num_classes, widths[3]
        self.conv1 = nn.Conv2d(in_chans, widths[0], 3, 1, padding=1, bias=False)
        self.block1 = WideGroup(num_blocks, widths[0], widths[1], 1)
        self.block2 = WideGroup(num_blocks, widths[1], widths[2], 2)
        self.block3 = WideGroup(num_blocks, widths[2], widths[3], 2)
        self.bn1 = nn.BatchNorm2d(widths[3])
        self.fc = nn.Linear(widths[3], num_classes)
        self.apply(_initialise)

    def stages(self, x: Tensor) -> list[Tensor]:
        """Feature maps after each group; the last one as the head sees it: after BN and ReLU."""
        first = self.block1(self.conv1(x))
        second = self.block2(first)
        return [first, second, F.relu(self.bn1(self.block3(second)))]

    def forward_head(self, features: Tensor) -> Tensor:
        """Average over positions, then the linear classifier."""
        logits: Tensor = self.fc(features.mean(dim=(2, 3)))
        return logits


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
