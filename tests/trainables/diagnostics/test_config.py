import math

import pytest
import torch

from trainables.attacks import AttackConfig
from trainables.data import Split
from trainables.diagnostics import variance_gap
from trainables.diagnostics.config import DiagnosticsConfig, diagnose
from trainables.diagnostics.sweep import attacked_at
from trainables.threat import ThreatModel

THREAT, ATTACK = ThreatModel(epsilon=0.2), AttackConfig(steps=5)
OWN = {
    "val/variance_gap",
    "val/variance_gap_absolute",
    "val/covariance_gap",
    "val/gram_gap",
    "val/variance_gap_correlation",
    "val/gram_gap_correlation",
    "val/local_linearity",
    "val/taylor_remainder_ratio",
}
WITH_TEACHER = {
    "val/gradient_distance",
    "val/gradient_cosine",
    "val/zero_gradient_share",
    "val/teacher_sample_covariance_distance",
    "val/teacher_sample_gram_distance",
    "val/empirical_bound_share",
    "val/empirical_bound_slack",
}


@pytest.fixture
def measured(digits):
    """``measured(student, teacher, **settings)``: the metrics of a diagnosis of 40 digits."""
    split = Split(digits.validation.images[:40], digits.validation.labels[:40])

    def create(student, teacher=None, **settings):
        config = DiagnosticsConfig(linearity_images=10, **settings)
        return diagnose(
            student, teacher, split, threat=THREAT, attack=ATTACK, config=config, seed=20
        )

    return create


def test_a_diagnosis_has_its_metrics_and_all_are_finite(trained, measured):
    metrics = measured(trained)

    assert set(metrics) == OWN
    assert all(math.isfinite(value) for value in metrics.values())


@pytest.mark.slow
def test_a_teacher_adds_what_compares(trained, teacher, measured):
    metrics = measured(trained, teacher)

    assert set(metrics) == OWN | WITH_TEACHER


@pytest.mark.slow
def test_equal_widths_add_the_channel_form(trained, network, measured):
    metrics = measured(trained, network())

    assert metrics["val/teacher_covariance_distance"] > 0


def test_only_what_is_asked_for_is_measured(trained, teacher, measured):
    assert set(measured(trained, teacher, measure=("gradients",))) == {
        "val/gradient_distance",
        "val/gradient_cosine",
        "val/zero_gradient_share",
    }
    assert measured(trained, measure=("gradients",)) == {}


def test_the_variance_gap_is_the_one_that_validation_reports(trained, measured, digits):
    split = Split(digits.validation.images[:40], digits.validation.labels[:40])
    attacked = attacked_at(0.2, trained, split, threat=THREAT, attack=ATTACK, seed=20)

    expected = variance_gap(trained, split.images, attacked)

    assert measured(trained)["val/variance_gap"] == expected


@pytest.mark.slow
def test_a_diagnosis_repeats(trained, teacher, measured):
    assert measured(trained, teacher) == measured(trained, teacher)


def test_a_correlation_of_what_never_varies_is_left_out(linear_network, measured):
    metrics = measured(linear_network(torch.zeros(10, 64)), measure=("gaps",))

    assert "val/variance_gap_correlation" not in metrics
    assert all(math.isfinite(value) for value in metrics.values())


def test_the_radii_are_the_factors_and_the_threats_own():
    config = DiagnosticsConfig(factors=(0.5, 2.0))

    assert config.epsilons(ThreatModel(epsilon=0.2)) == [0, 0.1, 0.2, 0.4]
    assert config.epsilons(ThreatModel(epsilon=0.8)) == [0, 0.4, 0.8]  # 1.6 leaves the images


@pytest.mark.parametrize(
    ("when", "due"),
    [("never", [False, False]), ("last_epoch", [False, True]), ("always", [True] * 2)],
)
def test_a_diagnosis_is_due_when_the_config_says(when, due):
    config = DiagnosticsConfig(when=when)

    assert [config.due(finished=finished) for finished in (False, True)] == due


@pytest.mark.slow
def test_a_diagnosis_leaves_networks_and_randomness_alone(network, measured):
    student, teacher = network().train(), network("small_resnet8").eval().requires_grad_(False)
    before = [{k: v.clone() for k, v in n.state_dict().items()} for n in (student, teacher)]
    state = torch.random.get_rng_state()

    measured(student, teacher)

    for net, values in zip((student, teacher), before, strict=True):
        assert all(torch.equal(value, values[key]) for key, value in net.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(module.training for module in student.modules())
    assert all(p.grad is None for n in (student, teacher) for p in n.parameters())


@pytest.mark.parametrize(
    "settings", [{"factors": (0.0,)}, {"factors": ()}, {"layer": 0}, {"measure": ("luck",)}]
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        DiagnosticsConfig(**settings)
