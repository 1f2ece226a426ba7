"""Every picture can be drawn of what is usual and of what is odd; how it looks is for eyes."""

import pytest
import torch

from trainables.attacks import AttackConfig
from trainables.data import Split
from trainables.diagnostics.pictures import (
    Series,
    as_png,
    certified_picture,
    correlation_picture,
    feature_picture,
    gap_picture,
    saliency_picture,
)
from trainables.diagnostics.pictures.feature_cloud import principal_plane, spectrum
from trainables.diagnostics.sweep import gaps_over_epsilon
from trainables.measuring.smoothing import SmoothingConfig, certify
from trainables.threat import ThreatModel

THREAT = ThreatModel(epsilon=0.1)


@pytest.fixture
def few(digits):
    return Split(digits.validation.images[:6], digits.validation.labels[:6])


def is_png(content):
    return content.startswith(b"\x89PNG") and len(content) > 5000


def test_gaps_over_epsilon_are_drawn(trained, few):
    rows = gaps_over_epsilon(trained, few, THREAT, AttackConfig(steps=1), (0, 0.1), seed=0)

    figure = gap_picture({"student": rows, "teacher": rows}, THREAT)

    labels = [axes.get_ylabel() for axes in figure.axes]
    assert labels[0] == "robust accuracy, %"
    assert is_png(as_png(figure))


def test_a_correlation_is_drawn_with_its_line_and_r():
    series = Series("students", [0.1, 0.2, 0.3, 0.4], [50, 40, 35, 20], ["1", "2", "3", "4"])

    figure = correlation_picture([("gap", [series])], title="t", y_label="robust accuracy, %")

    (axes,) = figure.axes
    assert axes.get_legend().get_texts()[0].get_text().startswith("students: r = -0.98")
    assert len(axes.get_lines()) == 2  # points and line
    assert is_png(as_png(figure))


def test_a_line_does_not_stretch_the_axis_beyond_the_points():
    series = Series("student", [0.0, 0.1, 0.2, 1.0], [100, 0, 0, 0])

    figure = correlation_picture([("gap", [series])], title="t", y_label="robust accuracy, %")

    assert figure.axes[0].get_ylim() == pytest.approx((-6, 106))


def test_two_points_are_drawn_without_a_line():
    figure = correlation_picture(
        [("gap", [Series("students", [0.1, 0.2], [50, 40])])], title="t", y_label="y"
    )

    assert len(figure.axes[0].get_lines()) == 1


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_saliency_of_images_of_any_channels_is_drawn(channels, linear_network):
    networks = {"student": linear_network(torch.randn(3, 4 * channels))}
    split = Split(torch.rand(2, channels, 2, 2), torch.tensor([0, 2]))

    figure = saliency_picture(networks, split, split.images, epsilon="Linf 0.1")

    assert len(figure.axes) == 2 * 4
    assert is_png(as_png(figure))


def test_features_of_both_networks_are_drawn(trained, teacher, few):
    networks = {"student": trained, "teacher": teacher}

    figure = feature_picture(networks, few, dict.fromkeys(networks, few.images))

    assert is_png(as_png(figure))


def test_one_image_and_one_channel_can_be_drawn(trained, linear_network, few):
    one = Split(few.images[:1], few.labels[:1])
    flat = linear_network(torch.randn(10, 64))  # a feature map of one channel

    for network in (trained, flat):
        figure = feature_picture({"student": network}, one, {"student": one.images})
        assert is_png(as_png(figure))


def test_certified_accuracy_is_drawn(trained, few):
    config = SmoothingConfig(selection=10, samples=50, failure=0.05)

    figure = certified_picture({"student": certify(trained, few, config, seed=0)}, config)

    assert is_png(as_png(figure))


def test_the_same_picture_has_the_same_bytes():
    first, again = (
        as_png(correlation_picture([("x", [Series("a", [1], [2])])], title="t", y_label="y"))
        for _ in range(2)
    )

    assert first == again


def test_plane_and_spectrum_are_those_of_the_covariance():
    features = torch.randn(500, 3, dtype=torch.float64) * torch.tensor([1.0, 5.0, 3.0])

    plane, share = principal_plane(features)

    variances = features.var(dim=0, correction=0).sort(descending=True).values
    assert plane[:, 0].abs().argmax() == 1
    assert plane[:, 1].abs().argmax() == 2
    assert share[0] > share[1]
    torch.testing.assert_close(spectrum(features), variances, rtol=0.05, atol=0.05)
