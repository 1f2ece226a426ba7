import math

import pytest
import torch
from torch.nn import functional as F

from trainables.distillation import Distillation
from trainables.methods import METHODS, Batch, View, kl_to_teacher
from trainables.methods.adversarial_training import AdversarialTraining
from trainables.methods.kd import KnowledgeDistillation

WITH_TEACHER = [name for name, method in METHODS.items() if method().needs_teacher]
WITHOUT_TEACHER = [name for name in METHODS if name not in WITH_TEACHER]


@pytest.mark.parametrize("name", METHODS)
def test_contract_is_named_as_in_the_registry(name):
    assert METHODS[name]().name == name


@pytest.mark.parametrize("name", METHODS)
def test_contract_describes_every_setting(name):
    settings = {key: field for key, field in METHODS[name].model_fields.items() if key != "name"}

    assert all(field.description for field in settings.values())


@pytest.mark.parametrize("name", METHODS)
def test_contract_outer_is_a_finite_scalar_that_moves_the_student_alone(
    name, batch, network, teacher
):
    student = network().train()

    loss = METHODS[name]().outer(batch(student, teacher))
    loss.backward()

    assert loss.shape == ()
    assert loss.isfinite()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in student.parameters())
    assert all(p.grad is None for p in teacher.parameters())


@pytest.mark.parametrize("name", METHODS)
def test_contract_inner_gives_the_attack_a_value_and_a_direction_per_image(
    name, batch, network, teacher
):
    student = network().eval()
    material = batch(student, teacher)
    images = material.clean.images.detach().clone().requires_grad_()

    objective = METHODS[name]().inner(student, teacher, material.clean, material.labels)

    values = objective(images) if objective is not None else images.sum(dim=(1, 2, 3))
    (gradient,) = torch.autograd.grad(values.sum(), images)
    assert values.shape == (8,)
    assert gradient.flatten(1).abs().sum(dim=1).gt(0).all()


@pytest.mark.parametrize("name", METHODS)
def test_contract_trains_an_epoch_and_leaves_the_teacher_alone(name, trial, teacher):
    distillation = Distillation.build(trial(method={"name": name}), teacher)
    weight = distillation.student.model.fc.weight.detach().clone()
    lessons = {key: value.clone() for key, value in teacher.state_dict().items()}

    metrics = distillation.train_epoch()

    assert math.isfinite(metrics["train/loss"])
    assert not torch.equal(distillation.student.model.fc.weight, weight)
    assert all(torch.equal(value, lessons[key]) for key, value in teacher.state_dict().items())


@pytest.mark.parametrize("name", WITH_TEACHER)
def test_contract_a_method_that_needs_a_teacher_is_refused_without_one(name, trial):
    with pytest.raises(ValueError, match="teacher is missing"):
        trial(method={"name": name}, teacher=None)


@pytest.mark.parametrize("name", WITHOUT_TEACHER)
def test_contract_a_method_that_needs_no_teacher_trains_without_one(name, trial):
    distillation = Distillation.build(trial(method={"name": name}, teacher=None))

    assert math.isfinite(distillation.train_epoch()["train/loss"])


def test_kl_is_from_the_teacher_to_the_student_averaged_over_the_batch():
    student, teacher = torch.randn(4, 3), torch.randn(4, 3)
    p_teacher, p_student = teacher.softmax(dim=1), student.softmax(dim=1)

    divergence = kl_to_teacher(student, teacher)

    by_hand = (p_teacher * (p_teacher.log() - p_student.log())).sum(dim=1).mean()
    torch.testing.assert_close(divergence, by_hand)


def test_kl_of_two_classes_by_hand():
    student, teacher = torch.tensor([[0.0, 0.0]]), torch.tensor([[math.log(3), 0.0]])

    divergence = kl_to_teacher(student, teacher)

    by_hand = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert divergence.item() == pytest.approx(by_hand)
    assert kl_to_teacher(teacher, student).item() != pytest.approx(by_hand, rel=0.05)


def test_kl_is_softened_and_scaled_by_the_temperature():
    student, teacher = torch.randn(4, 3), torch.randn(4, 3)

    divergence = kl_to_teacher(student, teacher, temperature=5.0)

    torch.testing.assert_close(divergence, 25 * kl_to_teacher(student / 5, teacher / 5))


def test_elementwise_mean_is_smaller_by_the_number_of_classes():
    student, teacher = torch.randn(4, 3), torch.randn(4, 3)

    elementwise = kl_to_teacher(student, teacher, reduction="mean")

    torch.testing.assert_close(elementwise, kl_to_teacher(student, teacher) / 3)


def test_kl_to_an_equal_teacher_is_zero():
    logits = torch.randn(4, 3)

    torch.testing.assert_close(kl_to_teacher(logits, logits), torch.tensor(0.0))


def test_adversarial_training_is_cross_entropy_on_the_adversarial_images(linear_network):
    student = linear_network(torch.randn(3, 4))
    clean, adversarial = torch.rand(5, 1, 2, 2), torch.rand(5, 1, 2, 2)
    labels = torch.tensor([0, 1, 2, 0, 1])

    loss = AdversarialTraining().outer(
        Batch(labels, View(clean, student, None), View(adversarial, student, None))
    )

    by_hand = F.cross_entropy(student(adversarial), labels)
    torch.testing.assert_close(loss, by_hand)


def test_label_smoothing_spreads_the_target_over_all_classes(linear_network):
    student = linear_network(torch.randn(3, 4))
    images, labels = torch.rand(5, 1, 2, 2), torch.tensor([0, 1, 2, 0, 1])
    view = View(images, student, None)

    loss = AdversarialTraining(label_smoothing=0.3).outer(Batch(labels, view, view))

    target = 0.7 * F.one_hot(labels, 3) + 0.3 / 3
    by_hand = -(target * student(images).log_softmax(dim=1)).sum(dim=1).mean()
    torch.testing.assert_close(loss, by_hand)


def test_distillation_mixes_labels_and_teacher_on_clean_images(linear_network):
    student, teacher = (linear_network(torch.randn(3, 4)) for _ in range(2))
    images, labels = torch.rand(5, 1, 2, 2), torch.tensor([0, 1, 2, 0, 1])
    material = Batch(labels, View(images, student, teacher), None)

    loss = KnowledgeDistillation(soft_weight=0.3, temperature=2.0).outer(material)

    hard = F.cross_entropy(student(images), labels)
    soft = kl_to_teacher(student(images), teacher(images), temperature=2.0)
    torch.testing.assert_close(loss, 0.7 * hard + 0.3 * soft)


def test_distillation_does_not_attack(batch, network, teacher):
    material = batch(network(), teacher)

    assert (
        KnowledgeDistillation().inner(network(), teacher, material.clean, material.labels) is None
    )


def test_distillation_without_soft_labels_needs_no_teacher(linear_network):
    student, images = linear_network(torch.randn(3, 4)), torch.rand(2, 1, 2, 2)
    labels, method = torch.tensor([0, 1]), KnowledgeDistillation(soft_weight=0.0)

    loss = method.outer(Batch(labels, View(images, student, None), None))

    assert not method.needs_teacher
    torch.testing.assert_close(loss, F.cross_entropy(student(images), labels))


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
