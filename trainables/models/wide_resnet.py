"""WideResNet for small images (Zagoruyko & Komodakis, 2016), keys as in TRADES checkpoints."""

from timm.models import register_model
from torch import Tensor, nn
from torch.nn import functional as F

from trainables.models.intermediates import IntermediatesMixin


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
        if depth < 10 or (depth - 4) % 6:
            raise ValueError(f"depth of a WideResNet must be 6n + 4 with n >= 1, got {depth}")
        widths = [base_width, *(base_width * widen_factor * 2**group for group in range(3))]
        num_blocks = (depth - 4) // 6
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


def _build(depth: int, widen_factor: int, pretrained: bool, **kwargs: object) -> WideResNet:
    if pretrained:
        raise ValueError(
            f"wide_resnet_{depth}_{widen_factor} has no pretrained weights; give a checkpoint"
        )
    accepted = {
        key: kwargs[key] for key in ("num_classes", "in_chans", "base_width") if key in kwargs
    }
    return WideResNet(depth, widen_factor, **accepted)  # type: ignore[arg-type]


def _register(depth: int, widen_factor: int) -> None:
    def entrypoint(pretrained: bool = False, **kwargs: object) -> WideResNet:
        return _build(depth, widen_factor, pretrained, **kwargs)

    entrypoint.__name__ = entrypoint.__qualname__ = f"wide_resnet_{depth}_{widen_factor}"
    register_model(entrypoint)


for _depth, _widen_factor in [
    (10, 1),
    (10, 2),
    (16, 1),
    (16, 2),
    (28, 10),
    (34, 10),
    (34, 20),
    (70, 16),
]:
    _register(_depth, _widen_factor)
