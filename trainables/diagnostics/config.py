"""Which diagnostics a trial measures, and the one call that measures them."""

import math
from typing import Annotated, Literal

from pydantic import Field

from trainables.attacks import AttackConfig
from trainables.data import Split
from trainables.diagnostics.bound import measured_bound
from trainables.diagnostics.correlation import correlation
from trainables.diagnostics.gradients import gradient_gap, zero_gradients
from trainables.diagnostics.likeness import feature_distance
from trainables.diagnostics.linearity import local_linearity
from trainables.diagnostics.sweep import EpsilonRow, gaps_over_epsilon
from trainables.diagnostics.taylor import taylor_remainder_ratio
from trainables.frozen import Frozen
from trainables.models import Network
from trainables.threat import ThreatModel

Measure = Literal["gaps", "gradients", "linearity"]


class DiagnosticsConfig(Frozen):
    """What is measured of a student besides its accuracies, on the validation split."""

    when: Literal["never", "last_epoch", "always"] = Field(
        "never", description="after which epochs; the cost is that of some more validations"
    )
    measure: tuple[Measure, ...] = Field(
        ("gaps", "gradients", "linearity"), min_length=1, description="what"
    )
    factors: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (0.5, 1.0),
        min_length=1,
        description="radii of the gaps as factors of the threat's epsilon; 0 and 1 are always "
        "added, and no radius exceeds 1",
    )
    layer: int = Field(-1, lt=0, description="feature map, counted from the end; -1 is the last")
    linearity_images: int = Field(
        256, ge=1, description="first images of the split for local linearity and its bound"
    )
    batch_size: int = Field(512, ge=1, description="images per pass")

    def due(self, *, finished: bool) -> bool:
        """Whether to measure after this epoch; ``finished`` after the last one."""
        return self.when == "always" or (self.when == "last_epoch" and finished)

    def epsilons(self, threat: ThreatModel) -> list[float]:
        """The radii of the gaps: 0, the factors' and the threat's own, ascending."""
        wanted = {0.0, threat.epsilon, *(factor * threat.epsilon for factor in self.factors)}
        return sorted(epsilon for epsilon in wanted if epsilon <= 1)


def diagnose(
    student: Network,
    teacher: Network | None,
    split: Split,
    *,
    threat: ThreatModel,
    attack: AttackConfig,
    config: DiagnosticsConfig,
    seed: int,
) -> dict[str, float]:
    """Measure a student, and where there is a teacher compare the two.

    Args:
        student: left in its own mode.
        teacher: or None, which leaves out what compares.
        split: images and labels of the validation split.
        threat: norm and radius.
        attack: strength of the margin attack behind the gaps.
        config: what to measure; ``when`` is the caller's to ask (:meth:`DiagnosticsConfig.due`).
        seed: of every start.

    Returns:
        ``val/…`` metrics; what is not finite (a correlation of constants) is left out.
    """
    metrics: dict[str, float] = {}
    if "gaps" in config.measure:
        rows = gaps_over_epsilon(
            student,
            split,
            threat,
            attack,
            config.epsilons(threat),
            seed=seed,
            layer=config.layer,
            batch_size=config.batch_size,
        )
        metrics |= _gaps(rows, threat.epsilon)
    if "linearity" in config.measure:
        count = config.linearity_images
        metrics |= _linearity(student, teacher, split[:count], threat, seed=seed)
    if teacher is not None:
        metrics |= _comparison(student, teacher, split, config)
    return {f"val/{name}": value for name, value in metrics.items() if math.isfinite(value)}


def _gaps(rows: list[EpsilonRow], epsilon: float) -> dict[str, float]:
    """Gaps at the threat's own radius, and how they go with robust accuracy over all radii."""
    own = next(row.gaps for row in rows if row.epsilon == epsilon)
    metrics = {
        "variance_gap": own.relative_variance,
        "variance_gap_absolute": own.variance,
        "covariance_gap": own.covariance,
        "gram_gap": own.gram,
    }
    if len(rows) < 3:
        return metrics
    robust = [row.robust_accuracy for row in rows]
    series = {
        "variance_gap_correlation": [row.gaps.relative_variance for row in rows],
        "gram_gap_correlation": [row.gaps.gram for row in rows],
    }
    return metrics | {name: correlation(values, robust).r for name, values in series.items()}


def _linearity(
    student: Network, teacher: Network | None, few: Split, threat: ThreatModel, *, seed: int
) -> dict[str, float]:
    ratio = taylor_remainder_ratio(student, few.images, threat, seed=seed).mean().item()
    if teacher is None:
        gamma = local_linearity(student, few, threat, seed=seed)
        return {"taylor_remainder_ratio": ratio, "local_linearity": gamma.mean().item()}
    bound = measured_bound(student, teacher, few, threat, seed=seed).scalars()
    return {
        "taylor_remainder_ratio": ratio,
        "local_linearity": bound["student_gamma"],
        "empirical_bound_share": bound["share"],
        "empirical_bound_slack": bound["right"] - bound["left"],
    }


def _comparison(
    student: Network, teacher: Network, split: Split, config: DiagnosticsConfig
) -> dict[str, float]:
    metrics: dict[str, float] = {}
    if "gradients" in config.measure:
        metrics |= gradient_gap(student, teacher, split)
        metrics["zero_gradient_share"] = zero_gradients(student, split)
    if "gaps" in config.measure:
        distance = feature_distance(
            student, teacher, split.images, layer=config.layer, batch_size=config.batch_size
        )
        metrics |= {f"teacher_{name}_distance": v for name, v in distance.scalars().items()}
    return metrics
