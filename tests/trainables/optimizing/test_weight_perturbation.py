import pytest
import torch
from torch import nn

from trainables.distillation import Distillation
from trainables.optimizing.weight_perturbation import worst_weights


def test_each_matrix_moves_its_share_of_its_own_length_uphill_and_back():
    network = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    inputs, before = torch.randn(5, 3), [p.detach().clone() for p in network.parameters()]

    def loss():
        return network(inputs).square().mean()

    gradients = torch.autograd.grad(loss(), list(network.parameters()))
    with worst_weights(network, loss, 0.1):
        inside = [p.detach().clone() for p in network.parameters()]
        worse = loss().item()

    for old, new, gradient in zip(before, inside, gradients, strict=True):
        step = 0.1 * old.norm() * gradient / gradient.norm() if old.dim() > 1 else 0 * old
        torch.testing.assert_close(new - old, step)
    assert worse > loss().item()
    assert all(torch.equal(p, old) for p, old in zip(network.parameters(), before, strict=True))


def test_the_weights_come_back_after_an_error():
    network = nn.Linear(3, 2)
    before = network.weight.detach().clone()

    with (
        pytest.raises(RuntimeError, match="in the middle"),
        worst_weights(network, lambda: network(torch.ones(1, 3)).sum(), 0.5),
    ):
        raise RuntimeError("in the middle")

    assert torch.equal(network.weight, before)


def test_batch_norm_does_not_see_the_pass_that_finds_the_worst_weights(trial):
    plain, perturbed = (
        Distillation.build(trial(teacher=None, weight_perturbation=awp))
        for awp in (None, {"strength": 0.01})
    )

    for distillation in (plain, perturbed):
        distillation.train_epoch()

    seen = [d.student.model.stem[1].num_batches_tracked.item() for d in (plain, perturbed)]
    assert seen[0] == seen[1]
    assert not torch.equal(plain.student.model.fc.weight, perturbed.student.model.fc.weight)


def test_it_begins_after_its_share_of_the_epochs(trial):
    plain, later = (
        Distillation.build(trial(teacher=None, epochs=2, weight_perturbation=awp))
        for awp in (None, {"strength": 0.05, "start": 0.5})
    )

    losses = [[d.train_epoch()["train/loss"] for _ in range(2)] for d in (plain, later)]

    assert losses[0][0] == losses[1][0]
    assert losses[0][1] != losses[1][1]


def test_a_balanced_method_takes_note_of_the_loss_it_descends_alone(trial, teacher, network):
    config = trial(method={"name": "mtard"}, weight_perturbation={"strength": 0.01}, epochs=1)
    distillation = Distillation.build(config, teacher, network("small_resnet8"))

    distillation.train_epoch()

    assert distillation.step.state["clean_weight"] != 0.5
