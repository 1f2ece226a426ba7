"""Certified robustness in L2 by randomised smoothing (Cohen, Rosenfeld & Kolter, 2019)."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor

from trainables.data import Split
from trainables.frozen import Frozen
from trainables.models import Network, module_mode

ABSTAIN = -1
BLOCK = 128  # noise is drawn in blocks of this size, so that batch_size changes nothing


class SmoothingConfig(Frozen):
    """CERTIFY's settings; ``n`` is small by default: the authors use 100,000."""

    sigma: float = Field(
        0.25, gt=0, description="standard deviation of the noise, in the units of images in [0, 1]"
    )
    n0: int = Field(100, ge=1, description="noisy copies that choose the class")
    n: int = Field(
        1000,
        ge=1,
        description="noisy copies that bound its probability; they limit the largest radius",
    )
    alpha: float = Field(
        0.001, gt=0, lt=1, description="probability that a certificate of one image is wrong"
    )
    batch_size: int = Field(1024, ge=1, description="noisy images per pass, in blocks of 128")

    @property
    def largest_radius(self) -> float:
        """The radius if all ``n`` copies agree."""
        return radius_of(lower_bound(self.n, self.n, self.alpha), self.sigma)


@dataclass(frozen=True)
class Certificates:
    """What was certified of each image.

    Attributes:
        predictions: class per image ``(count,)``; ``ABSTAIN`` where no class is sure.
        radii: L2 radius per image ``(count,)``, in the units of images; 0 where abstained.
        labels: true class per image ``(count,)``.
    """

    predictions: Tensor
    radii: Tensor
    labels: Tensor

    def accuracy(self, radius: float) -> float:
        """Share of images certified right within ``radius``; an abstention counts as wrong."""
        held = (self.predictions == self.labels) & (self.radii >= radius)
        return held.double().mean().item()

    def curve(self, radii: Sequence[float]) -> list[tuple[float, float]]:
        """Radius and certified accuracy in [0, 1]."""
        return [(radius, self.accuracy(radius)) for radius in radii]

    @property
    def abstained(self) -> float:
        """Share of images without a certificate."""
        return (self.predictions == ABSTAIN).double().mean().item()

    @property
    def mean_radius(self) -> float:
        """Average certified radius; 0 for wrong or abstained images (Zhai et al., 2020)."""
        right = self.predictions == self.labels
        return (self.radii * right).mean().item()


@torch.no_grad()
def certify(
    network: Network, split: Split, config: SmoothingConfig, *, seed: int, first: int = 0
) -> Certificates:
    """Certify every image of a split, the network in eval mode.

    Every image has its own noise, seeded by its place, so results do not depend on how a split is
    cut into pieces. Noisy images are not clamped to [0, 1], as the guarantee needs.

    Args:
        network: the base classifier; best trained with noise of ``sigma``.
        split: images and labels.
        config: noise and confidence.
        seed: of the noise.
        first: place of the split's first image in the whole, where it is a piece.

    Raises:
        ValueError: if the split is empty.
    """
    if not len(split):
        raise ValueError("certifying needs at least one image, got 0")
    found = []
    with module_mode(network, training=False):
        for index, image in enumerate(split.images, start=first):
            generator = torch.Generator(image.device).manual_seed(seed * 1_000_003 + index)
            found.append(_certify_image(network, image, config, generator))
    predictions = torch.tensor([prediction for prediction, _ in found])
    radii = torch.tensor([radius for _, radius in found], dtype=torch.float64)
    return Certificates(predictions, radii, split.labels.cpu())


def _certify_image(
    network: Network, image: Tensor, config: SmoothingConfig, generator: torch.Generator
) -> tuple[int, float]:
    """CERTIFY of the paper, Sec. 3.2.2."""
    chosen = class_counts(network, image, config.n0, config=config, generator=generator)
    top = int(chosen.argmax())
    if chosen[top] == 0:  # no copy had finite logits
        return ABSTAIN, 0.0
    counts = class_counts(network, image, config.n, config=config, generator=generator)
    probability = lower_bound(int(counts[top]), config.n, config.alpha)
    if probability <= 0.5:
        return ABSTAIN, 0.0
    return top, radius_of(probability, config.sigma)


def class_counts(
    network: Network,
    image: Tensor,
    num: int,
    *,
    config: SmoothingConfig,
    generator: torch.Generator,
) -> Tensor:
    """How many of ``num`` noisy copies of an image fall into each class ``(classes,)``.

    A copy whose logits are not finite falls into none.
    """
    totals = []
    for noise in _noise(image, num, config.batch_size, generator):
        logits = network(image + config.sigma * noise).float()
        finite = logits.isfinite().all(dim=1)
        classes = logits.argmax(dim=1)[finite]
        totals.append(torch.bincount(classes, minlength=logits.shape[1]))
    return torch.stack(totals).sum(dim=0).cpu()


def _noise(
    image: Tensor, num: int, batch_size: int, generator: torch.Generator
) -> Iterator[Tensor]:
    blocks = max(1, batch_size // BLOCK)
    for start in range(0, num, blocks * BLOCK):
        sizes = range(start, min(num, start + blocks * BLOCK), BLOCK)
        yield torch.cat(
            [
                torch.randn(BLOCK, *image.shape, generator=generator, device=image.device)
                for _ in sizes
            ]
        )[: num - start]


def lower_bound(successes: int, trials: int, alpha: float) -> float:
    """One-sided Clopper-Pearson bound: the probability is at least this, but for chance ``alpha``.

    Raises:
        ValueError: if ``successes`` is not in ``0 … trials`` or ``alpha`` not in (0, 1).
    """
    if not 0 <= successes <= trials or not 0 < alpha < 1:
        raise ValueError(
            f"successes must be in 0 to trials and alpha in (0, 1), got {successes} of {trials} "
            f"and {alpha}"
        )
    if successes == 0:
        return 0.0
    from scipy.stats import beta  # heavy, and only needed here

    return float(beta.ppf(alpha, successes, trials - successes + 1))


def radius_of(probability: float, sigma: float) -> float:
    """Certified L2 radius ``sigma * Phi^-1(p)`` of a class with probability ``p`` under noise."""
    return (
        sigma
        * math.sqrt(2)
        * torch.erfinv(torch.tensor(2 * probability - 1, dtype=torch.float64)).item()
    )
