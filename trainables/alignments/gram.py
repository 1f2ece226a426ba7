"""The gamma term of the variance-gap paper: Gram matrices."""

from typing import ClassVar

from pydantic import Field

from trainables.alignments.moments import MomentAlignment
from trainables.alignments.second_moment import Axis


class GramAlignment(MomentAlignment):
    r""":math:`L_{gram} = \|G_S - G_T\|_F^2` on clean and adversarial batches.

    Dong et al., ECCV 2024.

    Sources disagree on which Gram matrix the paper means. The default is the similarity of the
    batch's samples, :math:`G = F F^T / d`: it needs no projector, so nothing trained can absorb the
    loss, and it says something that the channel covariance does not. ``axis: channel`` gives
    :math:`G = F^T F / n`, the uncentred covariance; ``source: probabilities`` is the Gram matrix of
    the scores that one reader of the paper describes.
    """

    symbol: ClassVar[str] = "gamma"

    axis: Axis = Field("sample", description=MomentAlignment.model_fields["axis"].description)
