"""What is measured on every student, on the 300 test images of the digits."""

from typing import Any

from benchmarks.claims.plan import DIGITS, RADII, ROOT
from trainables.attacks import AttackConfig, margin_objective
from trainables.config import TrialConfig, merge
from trainables.data import Split
from trainables.diagnostics.bound import measured_bound
from trainables.diagnostics.gaps import gaps
from trainables.diagnostics.gradients import gradient_gap
from trainables.distillation import Distillation
from trainables.evaluation import adversarial_images
from trainables.measuring.autoattack import AutoAttack, autoattack
from trainables.measuring.named_attacks import NAMED_ATTACKS
from trainables.measuring.robustness import Accuracy, clean_flags, robust_flags
from trainables.measuring.smoothing import SmoothingConfig, certify
from trainables.models import Network
from trainables.teachers import load_teacher
from trainables.threat import ThreatModel

SEED = 7
APGD = AutoAttack(parts=("apgd-ce", "apgd-t"))
"""The white-box half of AutoAttack, which is what a network without masked gradients falls to."""


SMOOTHING = SmoothingConfig(sigma=0.25, selection=64, samples=500)
CERTIFIED_RADII = (0.0, 0.1, 0.2, 0.3, 0.5)
BOUND_RADIUS = 0.05


def the_teacher() -> Network:
    """The one robust teacher of all runs."""
    config = TrialConfig.model_validate(merge(DIGITS, {"method": {"name": "kd"}}))
    teacher = load_teacher(config, ROOT / "teachers")
    assert teacher is not None
    return teacher


def at(distillation: Distillation, epsilon: float) -> ThreatModel:
    """The run's threat model at another radius."""
    return ThreatModel(norm=distillation.config.threat.norm, epsilon=epsilon)


def first_hundred(split: Split) -> Split:
    """The first 100 images, for what costs too much on all."""
    return Split(split.images[:100], split.labels[:100])


def accuracy(distillation: Distillation) -> dict[str, Any]:
    """Clean accuracy, and under 20 steps of 0.1 epsilon: margin PGD at every radius, CE at one."""
    student, split = distillation.student, distillation.data.test
    found: dict[str, Any] = {"clean": Accuracy.of(clean_flags(student, split)).share}
    attacks = (("margin", "margin_pgd20_relative", RADII), ("ce", "pgd20_relative", RADII[-1:]))
    for name, preset, radii in attacks:
        for epsilon in radii:
            flags = robust_flags(
                student, split, at(distillation, epsilon), NAMED_ATTACKS[preset], seed=SEED
            )
            found[f"{name}@{epsilon:g}"] = Accuracy.of(flags).share
    return found


def apgd(distillation: Distillation) -> dict[str, Any]:
    """Accuracy under APGD-CE and APGD-T at the radius of training."""
    student, split = distillation.student, distillation.data.test
    result = autoattack(student, split, distillation.config.threat, APGD, seed=SEED)
    return {"robust": Accuracy.of(result.robust).share, "warnings": list(result.warnings)}


def standard_autoattack(distillation: Distillation) -> dict[str, Any]:
    """Accuracy after each part of the whole AutoAttack, as a cascade, on 100 images."""
    student, split = distillation.student, first_hundred(distillation.data.test)
    result = autoattack(student, split, distillation.config.threat, AutoAttack(), seed=SEED)
    return {part: Accuracy.of(flags).share for part, flags in result.robust_after.items()}


def features(distillation: Distillation) -> dict[str, Any]:
    """Variance, covariance and Gram gaps under margin PGD at every radius."""
    student, split = distillation.student, distillation.data.test
    found: dict[str, Any] = {}
    for epsilon in RADII:
        moved = adversarial_images(
            student,
            split,
            margin_objective,
            at(distillation, epsilon),
            AttackConfig(steps=20, step_size=0.1),
            seed=SEED,
        )
        measured = gaps(student, split.images, moved)
        found |= {f"{name}@{epsilon:g}": value for name, value in measured.scalars.items()}
    return found


def linearity(distillation: Distillation) -> dict[str, Any]:
    """Input gradients against the teacher's, and the empirical bound, on 100 images."""
    student, teacher = distillation.student, the_teacher()
    split = first_hundred(distillation.data.test)
    threat = at(distillation, BOUND_RADIUS)
    bound = measured_bound(student, teacher, split, threat, seed=SEED, steps=20)
    scalars = bound.scalars()
    return {
        **gradient_gap(student, teacher, split),
        **scalars,
        "bound": scalars["teacher_maximum"] + scalars["right"],
    }


def certified(distillation: Distillation) -> dict[str, Any]:
    """Certified accuracy in L2 under smoothing, at every radius of ``CERTIFIED_RADII``."""
    return certificates(distillation.student, distillation.data.test)


def certificates(network: Network, split: Split) -> dict[str, Any]:
    """As ``certified``, of any network."""
    found = certify(network, split, SMOOTHING, seed=SEED)
    shares = {f"certified@{radius:g}": found.accuracy(radius) for radius in CERTIFIED_RADII}
    return {**shares, "abstentions": found.abstentions}
