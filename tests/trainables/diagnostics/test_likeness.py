import pytest
import torch

from trainables.diagnostics import feature_distance
from trainables.diagnostics.likeness import _distance
from trainables.diagnostics.moments import Moments


def distance(ours, theirs):
    return _distance(Moments.of(torch.cat([ours, theirs], dim=1)), ours.shape[1])


def rotation(size):
    return torch.linalg.qr(torch.randn(size, size, dtype=torch.float64)).Q


def test_a_network_is_at_no_distance_from_itself(network):
    student = network()

    found = feature_distance(student, student, torch.rand(11, 1, 8, 8))

    assert found.scalars() == pytest.approx(dict.fromkeys(found._fields, 0), abs=1e-6)


def test_the_sample_form_is_that_of_the_sample_gram_matrices():
    ours, theirs = torch.randn(20, 3).double(), torch.randn(20, 7).double()

    found = distance(ours, theirs)

    def normed(features):
        gram = features @ features.T
        return gram / gram.norm()

    centred = [x - x.mean(dim=0) for x in (ours, theirs)]
    expected = (normed(ours) - normed(theirs)).norm().item()
    expected_centred = (normed(centred[0]) - normed(centred[1])).norm().item()
    assert found.sample_gram == pytest.approx(expected)
    assert found.sample_covariance == pytest.approx(expected_centred)


def test_the_sample_form_is_blind_to_rotation_and_scale_and_the_channel_form_is_not():
    features = torch.randn(30, 4, dtype=torch.float64) * torch.tensor([4.0, 3.0, 2.0, 1.0])

    found = distance(5 * features @ rotation(4), features)

    assert found.sample_covariance == pytest.approx(0, abs=1e-6)
    assert found.covariance > 1


def test_doubled_features_are_three_of_the_teachers_norms_away():
    features = torch.randn(30, 4, dtype=torch.float64)

    found = distance(2 * features, features)

    assert found.covariance == pytest.approx(3.0)
    assert found.gram == pytest.approx(3.0)


def test_unequal_widths_have_only_the_sample_form(network, teacher):
    found = feature_distance(network(), teacher, torch.rand(11, 1, 8, 8))

    assert found.covariance is None
    assert set(found.scalars()) == {"sample_covariance", "sample_gram"}
    assert 0 < found.sample_covariance <= 2**0.5


def test_one_image_has_a_distance(network, teacher):
    found = feature_distance(network(), teacher, torch.rand(1, 1, 8, 8))

    assert found.sample_gram == pytest.approx(0, abs=1e-6)  # one image is like itself
