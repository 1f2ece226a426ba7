"""The threat model: how far an attacker may move an image."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from trainables.frozen import Frozen

PIXEL = 1 / 255
"""One grey level of an 8-bit image whose values lie in [0, 1]; radii read ``8 * PIXEL``."""


class ThreatModel(Frozen):
    """All images within ``epsilon`` of the original in ``norm``, and within [0, 1]."""

    norm: Literal["linf", "l2"] = Field("linf", description="norm of the perturbation")
    epsilon: float = Field(
        8 * PIXEL,
        gt=0,
        le=1,
        description="radius, in the units of images in [0, 1]; 8/255 = 0.03137",
    )

    def project(self, images: Tensor, origin: Tensor) -> Tensor:
        """Nearest point to ``images`` in the ball around ``origin``, then clamped to [0, 1].

        Args:
            images: ``(batch, channels, height, width)``, any real values.
            origin: same shape, in [0, 1]; the centre of the ball.

        Returns:
            Same shape, within ``epsilon`` of ``origin`` and in [0, 1].
        """
        delta = images - origin
        if self.norm == "linf":
            delta = delta.clamp(-self.epsilon, self.epsilon)
        else:
            delta = delta * (self.epsilon / per_sample_norm(delta).clamp_min(1e-12)).clamp_max(1.0)
        return (origin + delta).clamp(0, 1)

    def steepest(self, gradient: Tensor) -> Tensor:
        """Direction of unit ``norm`` in which a linear function with this gradient grows fastest.

        Zero gradients give the zero direction, sample by sample.
        """
        if self.norm == "linf":
            return gradient.sign()
        # scaled first: the square of a gradient of 1e-25 is zero in float32
        tiny = torch.finfo(gradient.dtype).tiny
        scaled = gradient / gradient.abs().amax(dim=(1, 2, 3), keepdim=True).clamp_min(tiny)
        return scaled / per_sample_norm(scaled).clamp_min(1e-12)

    def random_start(self, origin: Tensor, generator: torch.Generator) -> Tensor:
        """Uniform in the ball around ``origin`` (Linf: per pixel; L2: direction, then radius)."""
        if self.norm == "linf":
            noise = torch.rand(origin.shape, generator=generator, device=origin.device) * 2 - 1
            return self.project(origin + self.epsilon * noise, origin)
        noise = torch.randn(origin.shape, generator=generator, device=origin.device)
        uniform = torch.rand(len(origin), 1, 1, 1, generator=generator, device=origin.device)
        radius = self.epsilon * uniform ** (1 / origin[0].numel())
        return self.project(origin + radius * noise / per_sample_norm(noise), origin)


def per_sample_norm(images: Tensor) -> Tensor:
    """L2 norm of each sample, shape ``(batch, 1, 1, 1)``."""
    norms: Tensor = torch.linalg.vector_norm(images.flatten(1), dim=1)
    return norms.view(-1, 1, 1, 1)
