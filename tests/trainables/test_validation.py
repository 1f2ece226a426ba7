import pytest

from trainables.data import Split
from trainables.distillation import Distillation
from trainables.measuring.autoattack import AutoAttack, autoattack
from trainables.threat import ThreatModel
from trainables.validation import VALIDATION_SEED, ValidationConfig, validate

THREAT = ThreatModel(epsilon=0.1)


@pytest.mark.slow
def test_the_white_box_half_of_autoattack_runs_at_the_end_on_some_images(trained, digits):
    config = ValidationConfig(attack={"steps": 2}, apgd_images=12)

    before, after = (
        validate(trained, digits.validation, THREAT, config, finished=finished)
        for finished in (False, True)
    )

    few = Split(digits.validation.images[:12], digits.validation.labels[:12])
    parts = AutoAttack(parts=("apgd-ce", "apgd-t"))
    direct = autoattack(trained, few, THREAT, parts, seed=VALIDATION_SEED).robust
    assert "val/apgd_accuracy" not in before
    assert after["val/apgd_accuracy"] == pytest.approx(direct.double().mean().item())
    assert after["val/apgd_count"] == 12


@pytest.mark.slow
@pytest.mark.parametrize(
    ("when", "expected"), [("always", [1, 1]), ("last_epoch", [0, 1]), ("never", [0, 0])]
)
def test_the_cross_entropy_is_attacked_when_it_is_said(when, expected, trained, digits):
    config = ValidationConfig(attack={"steps": 1}, cross_entropy=when)

    found = [
        validate(trained, digits.validation, THREAT, config, finished=finished)
        for finished in (False, True)
    ]

    assert [int("val/pgd1_accuracy" in metrics) for metrics in found] == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("when", "expected"), [("always", [1, 1]), ("last_epoch", [0, 1]), ("never", [0, 0])]
)
def test_a_trial_is_diagnosed_when_it_is_said(when, expected, trial, teacher):
    diagnostics = {"when": when, "linearity_images": 4}
    config = trial(method={"name": "rslad"}, diagnostics=diagnostics, epochs=2)
    distillation = Distillation.build(config, teacher)

    found = []
    while not distillation.finished:
        distillation.train_epoch()
        found.append(distillation.validate())

    assert [int("val/gram_gap" in metrics) for metrics in found] == expected
    assert [int("val/gradient_cosine" in metrics) for metrics in found] == expected
