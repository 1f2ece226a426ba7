import pytest
import torch
from scipy import stats

from trainables.data import Split
from trainables.measuring.smoothing import ABSTAINED, SmoothingConfig, certify, lower_bound


@pytest.fixture
def linear_split():
    generator = torch.Generator().manual_seed(0)
    return Split(torch.rand(12, 1, 2, 2, generator=generator), torch.tensor([0, 1] * 6))


def test_of_a_linear_classifier_the_radius_is_nearly_the_distance_to_its_boundary(
    linear_network, linear_split
):
    weight = torch.tensor([1.0, -1.0, 0.5, 0.3])
    network = linear_network(torch.stack([weight, torch.zeros(4)]))
    config = SmoothingConfig(sigma=0.5, samples=20_000)

    found = certify(network, linear_split, config, seed=0)

    distance = (linear_split.images.flatten(1) @ weight) / weight.norm()
    certain = found.predictions != ABSTAINED
    assert certain.sum() >= 10
    assert torch.equal(found.predictions[certain], (distance < 0).long()[certain])
    assert (found.radii[certain] <= distance.abs()[certain]).all()
    torch.testing.assert_close(found.radii[certain], distance.abs()[certain], rtol=0, atol=0.06)


@pytest.mark.parametrize(("successes", "trials"), [(100, 100), (60, 100), (1, 50)])
def test_the_lower_bound_is_clopper_and_pearsons(successes, trials):
    reference = stats.binomtest(successes, trials, alternative="greater").proportion_ci(0.999)

    assert lower_bound(successes, trials, 0.001) == pytest.approx(reference.low)
    assert lower_bound(0, 10, 0.001) == 0.0


def test_it_abstains_where_the_classes_are_even(linear_network):
    network = linear_network(torch.stack([torch.ones(4), torch.ones(4)]))
    network.model.weight.data[0] += torch.tensor([1.0, -1.0, 0.0, 0.0])
    even = Split(torch.full((3, 1, 2, 2), 0.5), torch.zeros(3, dtype=torch.long))

    found = certify(network, even, SmoothingConfig(sigma=0.5), seed=0)

    assert found.predictions.tolist() == [ABSTAINED] * 3
    assert found.radii.tolist() == [0.0] * 3
    assert found.abstentions == 1.0
    assert found.accuracy(0.0) == 0.0


def test_certified_accuracy_falls_with_the_radius(trained, digits):
    split = Split(digits.test.images[:15], digits.test.labels[:15])

    found = certify(trained, split, SmoothingConfig(sigma=0.1, samples=200), seed=0)

    accuracies = [found.accuracy(radius) for radius in (0.0, 0.1, 0.2, 0.5)]
    assert accuracies == sorted(accuracies, reverse=True)
    assert accuracies[0] > 0.5
    assert accuracies[-1] == 0.0


def test_an_image_gets_the_same_certificate_in_any_company(trained, digits):
    split = Split(digits.test.images[:6], digits.test.labels[:6])
    config = SmoothingConfig(sigma=0.2, samples=100)

    together = certify(trained, split, config, seed=3)
    small = certify(trained, split, config.model_copy(update={"batch_size": 7}), seed=3)
    beginning = certify(trained, Split(split.images[:2], split.labels[:2]), config, seed=3)

    assert torch.equal(together.predictions, small.predictions)
    assert torch.equal(together.radii[:2], beginning.radii)


@pytest.mark.parametrize("settings", [{"sigma": 0}, {"samples": 0}, {"failure": 0.5}])
def test_settings_without_meaning_are_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        SmoothingConfig.model_validate(settings)


def test_a_network_of_nan_is_certified_for_nothing(linear_network, linear_split):
    network = linear_network(torch.full((2, 4), float("nan")))

    found = certify(network, linear_split, SmoothingConfig(selection=8, samples=50), seed=0)

    assert found.abstentions == 1.0
    assert found.accuracy(0.0) == 0.0
