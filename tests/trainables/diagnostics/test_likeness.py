import pytest
import torch

from trainables.diagnostics.likeness import distance_of, feature_distance
from trainables.diagnostics.moments import StreamedMoments


def distance(ours, theirs):
    joint = StreamedMoments()
    joint.add(torch.cat([ours, theirs], dim=1))
    return distance_of(joint, ours.shape[1])


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


def test_a_distance_does_not_depend_on_the_batch_size(network, teacher):
    student, images = network(), torch.rand(11, 1, 8, 8)

    small, large = (
        feature_distance(student, teacher, images, batch_size=size) for size in (3, 100)
    )

    assert small.sample_covariance == pytest.approx(large.sample_covariance, rel=1e-4)


def test_no_image_is_refused(network, teacher):
    with pytest.raises(ValueError, match="at least one image, got 0"):
        feature_distance(network(), teacher, torch.rand(0, 1, 8, 8))


def test_an_unknown_layer_is_one_sentence(network, teacher):
    with pytest.raises(ValueError, match="has no feature layers"):
        feature_distance(network(), teacher, torch.rand(2, 1, 8, 8), layer=-9)


def test_both_networks_stay_in_their_mode(network):
    student, teacher = network().train(), network("small_resnet8").train()

    feature_distance(student, teacher, torch.rand(5, 1, 8, 8))

    assert all(m.training for n in (student, teacher) for m in n.modules())
