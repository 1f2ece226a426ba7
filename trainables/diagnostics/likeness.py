"""How far the student's features are from the teacher's, whatever their widths."""

import math
import sys
from typing import NamedTuple

import torch
from torch import Tensor

from trainables.diagnostics.moments import StreamedMoments
from trainables.models import Network, module_mode


class FeatureDistance(NamedTuple):
    r"""Distances of the student's second moments from the teacher's; 0 is equal.

    The channel form compares channel ``i`` with channel ``i`` and is what the covariance and Gram
    terms of training see. It exists only for equal widths.

    The sample form compares which images are alike: with the sample Gram :math:`K = X X^T`,

    .. math:: \| K_S / \|K_S\|_F - K_T / \|K_T\|_F \|_F = \sqrt{2 - 2\,A}, \quad
        A = \frac{\|X_S^T X_T\|_F^2}{\|X_S^T X_S\|_F \|X_T^T X_T\|_F}

    where A, of centred features, is linear centred kernel alignment (Kornblith et al., 2019). It is
    blind to rotations and to the scale of the features, and lies in [0, sqrt 2].

    Attributes:
        covariance: :math:`\|\Sigma_S - \Sigma_T\|_F / \|\Sigma_T\|_F`; None for unequal widths.
        gram: the same of the uncentred moments; None for unequal widths.
        sample_covariance: the sample form of centred features.
        sample_gram: the sample form of uncentred features.
    """

    covariance: float | None
    gram: float | None
    sample_covariance: float
    sample_gram: float

    def scalars(self) -> dict[str, float]:
        """Those that exist, by name."""
        return {name: value for name, value in self._asdict().items() if value is not None}


@torch.no_grad()
def feature_distance(
    student: Network,
    teacher: Network,
    images: Tensor,
    *,
    layer: int = -1,
    batch_size: int = 512,
) -> FeatureDistance:
    """Distance between two networks' pooled features, both in eval mode.

    The features are streamed side by side: the blocks of their joint second moment are the
    student's, the teacher's, and the one between them, which is all that the sample form needs.

    Args:
        student: left in its own mode.
        teacher: left in its own mode.
        images: ``(count, channels, height, width)`` in [0, 1].
        layer: feature map, counted from the end.
        batch_size: images per pass; the result does not depend on it.

    Raises:
        ValueError: if there are no images, or a network has no such layer.
    """
    if not len(images):
        raise ValueError("a feature distance needs at least one image, got 0")
    joint, width = StreamedMoments(), 0
    with module_mode(student, training=False), module_mode(teacher, training=False):
        for part in torch.split(images, batch_size):
            ours, theirs = (
                network.outputs(part, (layer,)).features[layer].mean(dim=1)
                for network in (student, teacher)
            )
            width = ours.shape[1]
            joint.add(torch.cat([ours, theirs], dim=1))
    return distance_of(joint, width)


def distance_of(moments: StreamedMoments, width: int) -> FeatureDistance:
    """Distance of the first ``width`` channels from the others."""
    covariance, gram = moments.covariance, moments.gram
    equal = 2 * width == len(moments.mean)
    return FeatureDistance(
        covariance=_channel_form(covariance, width) if equal else None,
        gram=_channel_form(gram, width) if equal else None,
        sample_covariance=_sample_form(covariance, width),
        sample_gram=_sample_form(gram, width),
    )


def _channel_form(joint: Tensor, width: int) -> float:
    student, teacher = joint[:width, :width], joint[width:, width:]
    return _norm(student - teacher) / max(_norm(teacher), 1e-12)


def _sample_form(joint: Tensor, width: int) -> float:
    own = _norm(joint[:width, :width]) * _norm(joint[width:, width:])
    alignment = _norm(joint[:width, width:]) ** 2 / max(own, sys.float_info.min)
    return math.sqrt(max(0.0, 2 - 2 * alignment))


def _norm(matrix: Tensor) -> float:
    norm: Tensor = torch.linalg.matrix_norm(matrix)
    return norm.item()
