"""Random changes of training images: whole batches on the device, every image its own."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.v2.functional import rgb_to_grayscale

if TYPE_CHECKING:
    from trainables.data.config import DataConfig

LARGEST_RATIO = 4 / 3
"""Of width to height, or of height to width, of a window that is enlarged."""

GREY = 0.5
"""What a cut-out square shows."""


def augment(images: Tensor, config: "DataConfig", generator: torch.Generator) -> Tensor:
    """Crop, resize, mirror, recolour and cut out of ``(batch, channels, height, width)``.

    In this order; what is off draws no random numbers. Images in [0, 1] stay there.
    """
    if config.crop_padding:
        images = random_crop(images, config.crop_padding, generator)
    if config.crop_scale is not None:
        images = resized_crop(images, config.crop_scale, generator)
    if config.flip:
        mirrored = torch.rand(len(images), generator=generator, device=images.device) < 0.5
        images = torch.where(mirrored.view(-1, 1, 1, 1), images.flip(3), images)
    if config.color_jitter:
        images = color_jitter(images, config.color_jitter, generator)
    if config.cutout:
        images = cutout(images, config.cutout, generator)
    return images


def random_crop(images: Tensor, padding: int, generator: torch.Generator) -> Tensor:
    """Crop each image at its own uniform offset after padding with zeros; the shape stays."""
    count, _, height, width = images.shape
    device = images.device
    padded = F.pad(images, [padding] * 4)
    offsets = torch.randint(0, 2 * padding + 1, (2, count, 1), generator=generator, device=device)
    rows = (offsets[0] + torch.arange(height, device=device)).view(count, 1, height, 1)
    columns = (offsets[1] + torch.arange(width, device=device)).view(count, 1, 1, width)
    sample = torch.arange(count, device=device).view(count, 1, 1, 1)
    channel = torch.arange(images.shape[1], device=device).view(1, -1, 1, 1)
    return padded[sample, channel, rows, columns]


def resized_crop(images: Tensor, smallest: float, generator: torch.Generator) -> Tensor:
    """A window of each image, enlarged to the whole, bilinear (Szegedy et al., 2015, Sec. 6).

    Place, area and aspect ratio are each image's own: the area uniform, the ratio log-uniform from
    3/4 to 4/3, what would be longer than the image as long as the image.

    Args:
        images: ``(batch, channels, height, width)`` in [0, 1].
        smallest: share of the area that a window has at least, in (0, 1).
        generator: of the windows, on the images' device.
    """
    drawn = torch.rand((4, len(images)), generator=generator, device=images.device)
    side = (smallest + (1 - smallest) * drawn[0]).sqrt()
    stretch = LARGEST_RATIO ** (drawn[1] - 0.5)
    width, height = (side * stretch).clamp(max=1), (side / stretch).clamp(max=1)
    x, y = (2 * drawn[2] - 1) * (1 - width), (2 * drawn[3] - 1) * (1 - height)
    zero = torch.zeros_like(x)
    rows = [torch.stack(row, dim=1) for row in ((width, zero, x), (zero, height, y))]
    grid = F.affine_grid(torch.stack(rows, dim=1), list(images.shape), align_corners=False)
    resized = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    return resized.clamp(0, 1)  # weights that sum to 1 but for rounding


def color_jitter(images: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Brightness, then contrast, then saturation of each image times its own uniform factor.

    As torchvision's ``ColorJitter`` in this fixed order, but with factors per image. The
    saturation of images with one channel stays.

    Args:
        images: ``(batch, 1 or 3, height, width)`` in [0, 1].
        strength: factors are uniform in ``[1 - strength, 1 + strength]``, from 0 to 1.
        generator: of the factors, on the images' device.
    """
    size = (3, len(images), 1, 1, 1)
    drawn = torch.rand(size, generator=generator, device=images.device)
    brightness, contrast, saturation = 1 + strength * (2 * drawn - 1)
    images = (brightness * images).clamp(0, 1)
    mean = _grey(images).mean(dim=(1, 2, 3), keepdim=True)
    images = torch.lerp(mean, images, contrast).clamp(0, 1)
    return torch.lerp(_grey(images), images, saturation).clamp(0, 1)


def _grey(images: Tensor) -> Tensor:
    return images if images.shape[1] == 1 else rgb_to_grayscale(images)


def cutout(images: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """A grey square somewhere in each image (DeVries & Taylor, 2017, Sec. 3.2).

    Its centre is a uniform pixel, so that part of the square may lie outside. Differs from the
    authors' code: the square is mid grey, 0.5, where theirs is the data set's mean.

    Args:
        images: ``(batch, channels, height, width)`` in [0, 1].
        side: of the square, in pixels.
        generator: of the places, on the images' device.
    """
    count, _, height, width = images.shape
    inside = [
        _window(count, length, side, generator=generator, device=images.device)
        for length in (height, width)
    ]
    square = inside[0].view(count, 1, height, 1) & inside[1].view(count, 1, 1, width)
    return images.masked_fill(square, GREY)


def _window(
    count: int, length: int, side: int, *, generator: torch.Generator, device: torch.device
) -> Tensor:
    """Flags ``(count, length)``: within ``side`` pixels around a uniform centre."""
    centres = torch.randint(0, length, (count, 1), generator=generator, device=device)
    places = torch.arange(length, device=device)
    first = centres - side // 2
    return (places >= first) & (places < first + side)
