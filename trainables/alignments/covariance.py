"""The beta term of the variance-gap paper: feature covariances."""

from typing import ClassVar

from pydantic import Field

from trainables.alignments.moments import MomentAlignment
from trainables.alignments.projector import ProjectorKind


class CovarianceAlignment(MomentAlignment):
    r""":math:`L_{cov} = \|\Sigma_S - \Sigma_T\|_F^2` on clean and adversarial batches.

    Dong et al., ECCV 2024.

    Robust accuracy falls linearly with the gap between the feature variances of adversarial and
    clean images; a robust teacher has a small gap, so the student's covariance is pulled towards
    the teacher's on both.

    By default the student's channels are mapped to the teacher's width by a trained linear map; a
    projector-free variant is ``axis: sample``.
    """

    symbol: ClassVar[str] = "beta"

    centered: bool = Field(True, description=MomentAlignment.model_fields["centered"].description)
    projector: ProjectorKind = Field(
        "linear", description=MomentAlignment.model_fields["projector"].description
    )
