import torch

from trainables.methods import Batch, View


def test_each_network_runs_once_per_view(network, teacher):
    student, calls = network(), []
    student.model.fc.register_forward_hook(lambda *_: calls.append("student"))
    teacher.model.fc.register_forward_hook(lambda *_: calls.append("teacher"))
    view = View(torch.rand(2, 1, 8, 8), student, teacher, layers=(-1,), differentiable=True)

    for _ in range(2):
        _ = view.student.logits, view.student.features, view.teacher.logits
    view.teacher_gradient(torch.tensor([0, 1]))

    assert sorted(calls) == ["student", "teacher"]


def test_the_teacher_is_a_constant_for_sgd(network, teacher):
    view = View(torch.rand(2, 1, 8, 8), network(), teacher, layers=(-1,), differentiable=True)

    assert not view.teacher.logits.requires_grad
    assert not view.teacher.features[-1].requires_grad
    assert not view.teacher_gradient(torch.tensor([0, 1])).requires_grad


def test_the_clean_view_stands_in_where_a_method_does_not_attack(network):
    clean = View(torch.rand(2, 1, 8, 8), network(), None)

    material = Batch(torch.tensor([0, 1]), clean, None)

    assert material.adversarial is clean
    assert material.views("both") == [clean]
    assert material.views("adversarial") == [clean]


def test_both_domains_are_the_clean_and_the_adversarial_view(network):
    clean, adversarial = (View(torch.rand(2, 1, 8, 8), network(), None) for _ in range(2))

    material = Batch(torch.tensor([0, 1]), clean, adversarial)

    assert material.views("both") == [clean, adversarial]
    assert material.views("clean") == [clean]
    assert material.views("adversarial") == [adversarial]


def test_the_mirrored_view_lies_on_the_other_side_and_is_not_clamped(network):
    clean = View(torch.zeros(1, 1, 8, 8), network(), None)
    adversarial = clean.at(torch.full((1, 1, 8, 8), 0.25))

    mirrored = Batch(torch.tensor([0]), clean, adversarial).mirrored

    torch.testing.assert_close(mirrored.images, torch.full((1, 1, 8, 8), -0.25))


def test_another_pass_leaves_the_state_of_the_method_alone(network):
    view = View(torch.rand(2, 1, 8, 8), network(), None)
    material = Batch(torch.tensor([0, 1]), view, view, state={"weight": torch.tensor(0.5)})

    again = material.again()
    again.state["weight"] = torch.tensor(0.9)

    assert material.state["weight"] == 0.5
    assert torch.equal(again.adversarial.images, material.adversarial.images)
    assert again.clean is not material.clean


def test_other_images_are_seen_by_the_same_networks(network, teacher):
    view = View(torch.rand(2, 1, 8, 8), network(), teacher, clean_teacher=teacher, layers=(-1,))

    other = view.at(torch.zeros(3, 1, 8, 8))

    assert other.student.logits.shape == (3, 10)
    assert list(other.teacher.features) == [-1]
    torch.testing.assert_close(other.clean_teacher.logits, other.teacher.logits)
