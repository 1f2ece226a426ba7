import pytest
import torch
from torch import nn

from trainables.alignments import IndirectGradientAlignment
from trainables.methods import Batch, View, kl_to_teacher

NO_MODULES = nn.ModuleDict()


def changes(batch, student, teacher):
    """f(x + d) - f(x - d) of both networks; for linear ones this is 2 W d."""
    perturbation = batch.adversarial.images - batch.clean.images
    return [2 * network(perturbation) for network in (student, teacher)]


@pytest.mark.parametrize(("ramp", "factor"), [(True, 0.25), (False, 1.0)])
def test_it_matches_the_changes_of_the_predictions(ramp, factor, linear_batch):
    batch, student, teacher = linear_batch
    batch.progress = 0.25

    loss = IndirectGradientAlignment(ramp=ramp).loss(batch, NO_MODULES)

    by_hand = kl_to_teacher(*changes(batch, student, teacher))
    torch.testing.assert_close(loss, factor * by_hand)


def test_other_surrogates_by_hand(linear_batch):
    batch, student, teacher = linear_batch
    gap = torch.sub(*changes(batch, student, teacher))

    l1, l2 = (
        IndirectGradientAlignment(surrogate=name).loss(batch, NO_MODULES) for name in ("l1", "l2")
    )

    torch.testing.assert_close(l1, gap.abs().mean())
    torch.testing.assert_close(l2, gap.square().mean())


def test_of_linear_networks_it_is_zero_exactly_where_gradients_agree_along_the_perturbation(
    linear_network,
):
    weight = torch.randn(3, 4)
    weight[:, 3] = 0.0
    moved = weight.clone()
    moved[:, 3] = torch.randn(3)  # the student differs where nothing is perturbed
    student, teacher = linear_network(moved), linear_network(weight)
    clean = torch.full((5, 1, 2, 2), 0.5)
    perturbation = 0.1 * torch.randn(5, 1, 2, 2)
    perturbation[:, :, 1, 1] = 0.0
    view = View(clean, student, teacher)
    batch = Batch(torch.tensor([0, 1, 2, 0, 1]), view, view.at(clean + perturbation))

    loss = IndirectGradientAlignment().loss(batch, NO_MODULES)

    torch.testing.assert_close(loss, torch.tensor(0.0), rtol=0, atol=1e-6)


def test_it_is_refused_where_nothing_is_attacked(trial):
    with pytest.raises(
        ValueError, match=r"alignments\.igdm compares images that the method's attack"
    ):
        trial(method={"name": "kd"}, alignments={"igdm": True})
