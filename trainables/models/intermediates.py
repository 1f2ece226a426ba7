"""timm's interface to feature maps, for our own convolutional networks."""

from abc import abstractmethod
from collections.abc import Sequence

from timm.models._features import feature_take_indices
from torch import Tensor


class IntermediatesMixin:
    """timm's ``forward…`` methods from ``stages`` and ``forward_head``."""

    @abstractmethod
    def stages(self, x: Tensor) -> list[Tensor]:
        """Feature maps ``(batch, channels, height, width)``; the last one feeds the head."""

    @abstractmethod
    def forward_head(self, features: Tensor) -> Tensor:
        """Logits ``(batch, classes)`` from the last feature map."""

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(batch, classes)``."""
        return self.forward_head(self.forward_features(x))

    def forward_features(self, x: Tensor) -> Tensor:
        """The last feature map."""
        return self.stages(x)[-1]

    def forward_intermediates(
        self, x: Tensor, indices: int | Sequence[int] | None = None, output_fmt: str = "NCHW"
    ) -> tuple[Tensor, list[Tensor]]:
        """The last feature map, and those that ``indices`` names (an int: the last n)."""
        assert output_fmt == "NCHW"
        maps = self.stages(x)
        taken, _ = feature_take_indices(
            len(maps), list(indices) if isinstance(indices, Sequence) else indices
        )
        return maps[-1], [maps[index] for index in taken]
