"""DeepMind's WideResNet, in which most robust weights come (Gowal et al., 2020)."""

from collections import OrderedDict

from torch import Tensor, nn
from torch.nn import functional as F

from trainables.models.intermediates import IntermediatesMixin
from trainables.models.wide_resnet import blocks_per_group


class DeepMindBlock(nn.Module):
    """BN-SiLU-conv3x3 twice; where the shape changes, the shortcut is a 1x1 convolution."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.batchnorm_0 = nn.BatchNorm2d(in_channels)
        self.conv_0 = nn.Conv2d(
            in_channels, out_channels, 3, stride, padding=1 if stride == 1 else 0, bias=False
        )
        # TensorFlow's SAME: an even side under stride 2 is padded on the right and below alone
        self.pad = nn.Identity() if stride == 1 else nn.ZeroPad2d((0, 1, 0, 1))
        self.batchnorm_1 = nn.BatchNorm2d(out_channels)
        self.conv_1 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.shortcut = (
            nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            if in_channels != out_channels
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, in, h, w)`` to ``(batch, out, h / stride, w / stride)``."""
        activated = F.silu(self.batchnorm_0(x))
        shortcut: Tensor = x if self.shortcut is None else self.shortcut(activated)
        residual: Tensor = self.conv_0(self.pad(activated))
        residual = self.conv_1(F.silu(self.batchnorm_1(residual)))
        return shortcut + residual


class DeepMindWideResNet(IntermediatesMixin, nn.Module):
    """WRN-``depth``-``widen_factor`` with SiLU (Swish) and TensorFlow's padding.

    Layers, their order and the keys of the state dict are those of the published weights of Gowal
    et al. (2020), Rebuffi et al. (2021), Wang et al. (2023) and Bartoldson et al. (2024). Differs
    from the authors' code: mean and standard deviation are not part of the network, and the last
    average is over all positions, whatever the side of the image.

    Raises:
        ValueError: if ``depth`` is not 6n + 4.
    """

    def __init__(
        self, depth: int, widen_factor: int, *, num_classes: int = 10, in_chans: int = 3
    ) -> None:
        super().__init__()
        num_blocks = blocks_per_group(depth)
        widths = [16, *(16 * widen_factor * 2**group for group in range(3))]
        self.num_classes, self.num_features = num_classes, widths[3]
        self.init_conv = nn.Conv2d(in_chans, widths[0], 3, padding=1, bias=False)
        self.layer = nn.Sequential(
            *(
                _group(num_blocks, widths[group], widths[group + 1], stride)
                for group, stride in enumerate((1, 2, 2))
            )
        )
        self.batchnorm = nn.BatchNorm2d(widths[3])
        self.logits = nn.Linear(widths[3], num_classes)

    def stages(self, x: Tensor) -> list[Tensor]:
        """Feature maps after each group; the last one as the head sees it: after BN and SiLU."""
        maps = [self.init_conv(x)]
        for group in self.layer:
            maps.append(group(maps[-1]))
        return [*maps[1:-1], F.silu(self.batchnorm(maps[-1]))]

    def forward_head(self, features: Tensor) -> Tensor:
        """Average over positions, then the linear classifier."""
        logits: Tensor = self.logits(features.mean(dim=(2, 3)))
        return logits


def _group(num_blocks: int, in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    first = DeepMindBlock(in_channels, out_channels, stride)
    rest = (DeepMindBlock(out_channels, out_channels, 1) for _ in range(num_blocks - 1))
    return nn.Sequential(OrderedDict(block=nn.Sequential(first, *rest)))
