"""How a student is measured during training, on images that no training saw."""

from typing import Literal

from pydantic import Field

from trainables.attacks import AttackConfig, cross_entropy_objective, margin_objective
from trainables.data import Split
from trainables.diagnostics import variance_gap
from trainables.evaluation import accuracy_under, adversarial_images, clean_accuracy
from trainables.frozen import Frozen
from trainables.measuring.autoattack import AutoAttack, autoattack
from trainables.models import Network
from trainables.threat import ThreatModel
from trainables.workers.ranks import ALONE, Ranks

Metrics = dict[str, float]
VALIDATION_SEED = 20
"""Of the validation attack: fixed, so that epochs and trials face the same starts."""


class ValidationConfig(Frozen):
    """How a student is measured after every epoch, on images that no training saw."""

    attack: AttackConfig = Field(
        AttackConfig(steps=20),
        description="margin PGD behind val/robust_accuracy; the same at every epoch",
    )
    images: int = Field(
        1000,
        ge=1,
        description="validation images measured in every epoch but the last, the first so many; "
        "the last epoch sees all of them",
    )
    cross_entropy: Literal["always", "last_epoch", "never"] = Field(
        "last_epoch",
        description="when val/pgd20_accuracy (the same attack on cross-entropy) is measured too",
    )
    apgd_images: int = Field(
        0,
        ge=0,
        description="validation images that face APGD-CE and APGD-T, the white-box half of "
        "AutoAttack, after the last epoch (val/apgd_accuracy); 0: none",
    )
    masking_alarm: float = Field(
        0.05,
        gt=0,
        le=1,
        description="alarm if the cross-entropy attack leaves this much more than the margin",
    )
    overfitting_alarm: float = Field(
        0.05,
        gt=0,
        le=1,
        description="alarm if robust accuracy is this much below that of the best epoch: robust "
        "overfitting (Rice et al., 2020), or catastrophic overfitting if it is less than half",
    )
    batch_size: int = Field(512, ge=1, description="images per attacked batch")
    latency: bool = Field(
        False,
        description="measure student/latency_ms, once per architecture and process: the median "
        "time of a forward pass of one image, in milliseconds, on the trial's device and threads; "
        "other trials on the same machine slow it down",
    )

    def cross_entropy_too(self, *, finished: bool) -> bool:
        """Whether this epoch faces the attack on the cross-entropy as well."""
        return self.cross_entropy == "always" or (self.cross_entropy == "last_epoch" and finished)

    def overfitting(self, robust_accuracy: float, best: float) -> Metrics:
        """How far an epoch is below the best one so far; an alarm of 1 (robust overfitting) or 2.

        2 is catastrophic overfitting: the attack of training has become useless (Wong et al.,
        2020).
        """
        lost = best - robust_accuracy
        alarm = 0 if lost <= self.overfitting_alarm else 2 if robust_accuracy < best / 2 else 1
        return {"val/robust_overfitting": lost, "val/overfitting_alarm": float(alarm)}


def validate(
    network: Network,
    split: Split,
    threat: ThreatModel,
    config: ValidationConfig,
    *,
    finished: bool,
    ranks: Ranks = ALONE,
) -> Metrics:
    """Accuracies in [0, 1] and what may be wrong with them.

    Args:
        network: measured in eval mode.
        split: validation images.
        threat: norm and radius of the attack.
        config: its strength.
        finished: whether this is the last time, when the costlier attacks run, too.
        ranks: processes that share the work, but for APGD, whose randomness a part would change.

    Returns:
        ``val/clean_accuracy``, ``val/robust_accuracy`` (margin PGD), ``val/variance_gap``
        (relative), ``val/count``; with the attack on the cross-entropy also
        ``val/pgd<steps>_accuracy`` and ``val/masking_alarm``, 1 where that attack leaves too much
        more; at the end ``val/apgd_accuracy`` and ``val/apgd_count``, if asked for.
    """
    size, cross_entropy = config.batch_size, config.cross_entropy_too(finished=finished)
    attacked = {
        objective: adversarial_images(
            network,
            split,
            objective,
            threat,
            config.attack,
            seed=VALIDATION_SEED,
            batch_size=size,
            ranks=ranks,
        )
        for objective in (margin_objective, cross_entropy_objective)[: 1 + cross_entropy]
    }
    own, moved = split[ranks.own(len(split))], attacked[margin_objective]
    robust = accuracy_under(network, own, moved, size, ranks=ranks)
    metrics = {
        "val/clean_accuracy": clean_accuracy(network, own, size, ranks),
        "val/robust_accuracy": robust,
        "val/variance_gap": variance_gap(network, own.images, moved, ranks),
        "val/count": float(len(split)),
    }
    if cross_entropy:
        attacked_otherwise = attacked[cross_entropy_objective]
        weaker = accuracy_under(network, own, attacked_otherwise, size, ranks=ranks)
        metrics[f"val/pgd{config.attack.steps}_accuracy"] = weaker
        metrics["val/masking_alarm"] = float(weaker - robust > config.masking_alarm)
    if finished and config.apgd_images:
        metrics |= _apgd(network, split, threat, config.apgd_images)
    return metrics


def _apgd(network: Network, split: Split, threat: ThreatModel, images: int) -> Metrics:
    attack = AutoAttack(parts=("apgd-ce", "apgd-t"))
    robust = autoattack(network, split[:images], threat, attack, seed=VALIDATION_SEED).robust
    return {
        "val/apgd_accuracy": robust.double().mean().item(),
        "val/apgd_count": float(len(robust)),
    }
