"""The gates on networks whose gradients are genuinely there, and genuinely masked."""

import sys

import pytest
import torch
from torch import nn

from trainables.data import Split
from trainables.measuring.masking import verdict
from trainables.measuring.sanity import Rescaled, sanity_gates, scale_factors, zero_gradients
from trainables.models import Network
from trainables.threat import ThreatModel

pytestmark = pytest.mark.slow


class Quantised(Network):
    """Sees five grey levels: no gradient anywhere, and none the worse for it."""

    def __init__(self, network):
        nn.Module.__init__(self)
        self.network = network

    def forward(self, images):
        return self.network((4 * images).round() / 4)


@pytest.fixture(scope="module")
def split(digits):
    return Split(digits.validation.images[:60], digits.validation.labels[:60])


@pytest.fixture(scope="module")
def gates(split):
    """``gates(network, norm)``: by name."""

    def measure(network, norm="linf"):
        threat = ThreatModel(norm=norm, epsilon=0.1 if norm == "linf" else 0.5)
        return {gate.name: gate for gate in sanity_gates(network, split, threat, seed=0)}

    return measure


def failed(gates):
    return {name for name, gate in gates.items() if not gate.passed}


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_an_adversarially_trained_network_is_plausible(trained, gates, norm):
    found = gates(trained, norm)

    assert verdict(list(found.values())) == "plausible"


def test_large_logits_are_found_out(trained, gates):
    found = gates(Rescaled(trained, 1e4))

    assert failed(found) == {
        "gradients exist",
        "cross-entropy sees what margin sees",
        "logit scale hides nothing",
    }
    assert verdict(list(found.values())).startswith("masked gradients: ")


def test_a_quantised_input_is_found_out(trained, gates):
    found = gates(Quantised(trained))

    assert {"gradients exist", "nothing stands at epsilon 1"} <= failed(found)
    assert "60 of 60 images" in found["gradients exist"].measured


def test_zero_gradients_are_counted_among_the_images_that_are_right(linear_network):
    network = linear_network(torch.eye(4)[:3])  # the fourth pixel has no gradient, the others have
    images = torch.eye(4).view(4, 1, 2, 2)
    split = Split(images, torch.tensor([0, 1, 2, 1]))  # the last one is wrong

    few, all_of_them = (zero_gradients(Rescaled(network, f), split) for f in (1.0, 1e4))

    assert (few.correct, few.total) == (0, 3)
    assert (all_of_them.correct, all_of_them.total) == (3, 3)


def test_without_a_right_image_no_gradient_is_missing(linear_network):
    split = Split(torch.eye(4).view(4, 1, 2, 2), torch.tensor([1, 2, 3, 0]))

    assert zero_gradients(linear_network(torch.eye(4)), split).correct == 0


@pytest.mark.parametrize(("scale", "natural"), [(1.0, 1.0), (100.0, 2.0**-7), (1 / 32, 32.0)])
def test_the_scales_reach_a_median_margin_of_one(linear_network, scale, natural):
    network = Rescaled(linear_network(torch.eye(4)), scale)
    split = Split(torch.eye(4).view(4, 1, 2, 2), torch.arange(4))

    assert scale_factors(network, split) == sorted({1.0, 0.125, 8.0, natural})


def test_a_network_of_nans_has_the_plain_scales(linear_network):
    network = Rescaled(linear_network(torch.eye(4)), float("nan"))
    split = Split(torch.eye(4).view(4, 1, 2, 2), torch.arange(4))

    assert scale_factors(network, split) == [0.125, 1.0, 8.0]


def test_a_machine_without_the_library_measures_the_other_gates(linear_network, split, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyautoattack", None)

    gates = sanity_gates(linear_network(torch.randn(10, 64)), split, ThreatModel(), seed=0)

    assert len(gates) == 6
    assert not any("black box" in gate.name for gate in gates)
