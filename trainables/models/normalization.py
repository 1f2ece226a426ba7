"""How images are standardised before a network sees them."""

from typing import Self

from pydantic import Field, model_validator

from trainables.frozen import Frozen


class ChannelStatistics(Frozen):
    """Images are standardised by these, channel by channel."""

    mean: tuple[float, ...] = Field(
        min_length=1, description="subtracted, per channel, for images in [0, 1]"
    )
    std: tuple[float, ...] = Field(min_length=1, description="divided by, per channel; above 0")

    @model_validator(mode="after")
    def _one_per_channel(self) -> Self:
        if len(self.mean) != len(self.std):
            raise ValueError(
                f"mean and std must have one number per channel each, got {len(self.mean)} and "
                f"{len(self.std)}"
            )
        outside = [value for value in self.mean if not 0 <= value <= 1]
        if outside:
            raise ValueError(
                f"mean must be from 0 to 1 in every channel, as images are, got {outside[0]:.4g}; "
                "divide mean and std by 255 if they are of images from 0 to 255"
            )
        if min(self.std) <= 0:
            raise ValueError(f"std must be above 0 in every channel, got {min(self.std)}")
        return self

    def of_channels(self, channels: int) -> tuple[list[float], list[float]]:
        """Mean and std for so many channels; one number stands for all of them.

        Raises:
            ValueError: if they are of another number of channels.
        """
        if len(self.mean) not in {1, channels}:
            raise ValueError(
                f"normalization is of {len(self.mean)} channels ({self}), but the images have "
                f"{channels}; give {channels} or 1"
            )
        repeats = channels // len(self.mean)
        return list(self.mean) * repeats, list(self.std) * repeats

    def __str__(self) -> str:
        mean, std = (" ".join(f"{v:.4g}" for v in values) for values in (self.mean, self.std))
        return f"mean {mean}, std {std}"


KNOWN = {
    "cifar10": ChannelStatistics(mean=(0.4914, 0.4822, 0.4465), std=(0.2471, 0.2435, 0.2616)),
    "cifar100": ChannelStatistics(mean=(0.5071, 0.4865, 0.4409), std=(0.2673, 0.2564, 0.2762)),
    "imagenet": ChannelStatistics(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
}
"""By data set; those of CIFAR as in DeepMind's code."""
