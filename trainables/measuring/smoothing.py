"""Randomised smoothing: certified robustness in L2 (Cohen, Rosenfeld & Kolter, ICML 2019)."""

from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor

from trainables.data import Split
from trainables.frozen import Frozen
from trainables.models import Network, module_mode

ABSTAINED = -1
"""The prediction where the smoothed classifier does not know."""


class SmoothingConfig(Frozen):
    """Noise and confidence of a certificate."""

    sigma: float = Field(
        0.25, gt=0, description="standard deviation of the noise, in units of images in [0, 1]"
    )
    selection: int = Field(100, ge=1, description="n_0, samples that choose the class")
    samples: int = Field(1000, ge=1, description="n, samples that estimate its probability")
    failure: float = Field(
        0.001, gt=0, lt=0.5, description="alpha: probability that a certificate is wrong, per image"
    )
    batch_size: int = Field(1000, ge=1, description="noisy images per pass")


@dataclass(frozen=True)
class Certificates:
    """What is certified of every image.

    Attributes:
        predictions: ``(count,)``, a class or ``ABSTAINED``.
        radii: ``(count,)``, L2, in units of images in [0, 1]; 0 where it abstains.
        labels: ``(count,)``, the true classes.
    """

    predictions: Tensor
    radii: Tensor
    labels: Tensor

    def accuracy(self, radius: float) -> float:
        """Share of images that are right and certified for more than ``radius``, in [0, 1].

        Abstentions count as wrong.
        """
        certified = (self.predictions == self.labels) & (self.radii >= radius)
        if radius == 0:
            certified = self.predictions == self.labels
        return certified.double().mean().item()

    @property
    def abstentions(self) -> float:
        """Share of images of which nothing is said."""
        return (self.predictions == ABSTAINED).double().mean().item()


def certify(network: Network, split: Split, config: SmoothingConfig, *, seed: int) -> Certificates:
    r"""CERTIFY of Cohen et al., 2019, Fig. 1, on every image of the split.

    The class :math:`c` is the majority of n_0 noisy copies; its probability has the one-sided
    Clopper-Pearson bound :math:`\underline{p}` from n further copies; the radius is
    :math:`\sigma \Phi^{-1}(\underline{p})`, or an abstention where :math:`\underline{p} \le 1/2`.
    The noise of an image depends on ``seed`` and its place in the split alone. The network runs in
    eval mode; noisy images are not clamped.
    """
    results = []
    with module_mode(network, training=False), torch.no_grad():
        for place in range(len(split)):
            image = split[place : place + 1].images[0]
            generator = torch.Generator(image.device).manual_seed(seed * 1_000_003 + place)
            results.append(_certify_image(network, image, config, generator))
    predictions, radii = zip(*results, strict=True)
    device = split.labels.device
    return Certificates(
        torch.tensor(predictions, device=device), torch.tensor(radii, device=device), split.labels
    )


def _certify_image(
    network: Network, image: Tensor, config: SmoothingConfig, generator: torch.Generator
) -> tuple[int, float]:
    def vote(count: int) -> Tensor:
        return _votes(network, image, count, config=config, generator=generator)

    chosen = int(vote(config.selection).argmax())
    votes = int(vote(config.samples)[chosen])
    lower = lower_bound(votes, config.samples, config.failure)
    if lower <= 0.5:
        return ABSTAINED, 0.0
    return chosen, config.sigma * normal_quantile(lower)


def _votes(
    network: Network,
    image: Tensor,
    count: int,
    *,
    config: SmoothingConfig,
    generator: torch.Generator,
) -> Tensor:
    """How often each class wins among noisy copies, ``(classes,)``."""
    total = torch.zeros((), dtype=torch.long)
    for first in range(0, count, config.batch_size):
        size = min(config.batch_size, count - first)
        noise = torch.randn((size, *image.shape), generator=generator, device=image.device)
        logits = network(image + config.sigma * noise)
        sure = logits.isfinite().all(dim=1)  # argmax would call NaN class 0
        total = total.to(logits.device) + torch.bincount(
            logits.argmax(dim=1)[sure], minlength=logits.shape[1]
        )
    return total


def normal_quantile(share: float) -> float:
    """Phi^-1: what ``share`` of the standard normal distribution lies below."""
    from scipy.stats import norm  # heavy: not to look at a study

    return float(norm.ppf(share))


def lower_bound(successes: int, trials: int, failure: float) -> float:
    """One-sided Clopper-Pearson lower bound on a probability, with confidence 1 - ``failure``."""
    if successes == 0:
        return 0.0
    from scipy.stats import beta  # heavy: not to look at a study

    return float(beta.ppf(failure, successes, trials - successes + 1))
