"""How far the student's features are from the teacher's, whatever their widths."""

import math
import sys
from typing import NamedTuple

import torch
from torch import Tensor

from trainables.diagnostics.gaps import relative
from trainables.diagnostics.moments import Moments, Pool, joint_moments
from trainables.models import Network


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


def feature_distance(
    student: Network,
    teacher: Network,
    images: Tensor,
    layer: int = -1,
    *,
    pool: Pool = "average",
    batch_size: int = 512,
) -> FeatureDistance:
    """Distance between two networks' features on images ``(count, channels, height, width)``.

    Raises:
        ValueError: see :func:`~trainables.diagnostics.moments.joint_moments`.
    """
    moments, width = joint_moments(
        student, teacher, images, layer, pool=pool, batch_size=batch_size
    )
    return _distance(moments, width)


def _distance(moments: Moments, width: int) -> FeatureDistance:
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
    return relative(_norm(student - teacher), _norm(teacher))


def _sample_form(joint: Tensor, width: int) -> float:
    own = _norm(joint[:width, :width]) * _norm(joint[width:, width:])
    alignment = _norm(joint[:width, width:]) ** 2 / max(own, sys.float_info.min)
    return math.sqrt(max(0.0, 2 - 2 * alignment))


def _norm(matrix: Tensor) -> float:
    norm: Tensor = torch.linalg.matrix_norm(matrix)
    return norm.item()
