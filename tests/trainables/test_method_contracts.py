"""What holds for every entry of ``METHODS``, tested the day it is added."""

import math

import pytest
import torch

from trainables.config import TrialConfig
from trainables.conventions import merge
from trainables.distillation import Distillation
from trainables.methods import METHODS, Batch

STUDENTS = ("small_resnet6", "vit_pico_patch2_8")


@pytest.fixture
def material(batch, network, teacher):
    """``material(student)``: eight digits as a student, a robust and a clean teacher see them."""

    def create(student):
        return batch(student, teacher, clean_teacher=network("small_resnet8").eval())

    return create


def reordered(material, order):
    views = [view.at(view.images[order]) for view in (material.clean, material.adversarial)]
    return Batch(material.labels[order], *views, progress=material.progress)


@pytest.mark.parametrize("name", METHODS)
def test_is_named_as_in_the_registry(name):
    assert METHODS[name]().name == name


@pytest.mark.parametrize("name", METHODS)
def test_describes_every_setting(name):
    settings = {key: field for key, field in METHODS[name].model_fields.items() if key != "name"}

    assert all(field.description for field in settings.values())


@pytest.mark.parametrize("name", METHODS)
def test_its_conventions_hold_where_the_user_says_nothing(name):
    config = TrialConfig.model_validate(
        {"method": {"name": name}, "teacher": {}, "clean_teacher": {}}
    )

    written = config.model_dump(mode="json")

    assert written == merge(written, METHODS[name].conventions)


@pytest.mark.parametrize("architecture", STUDENTS)
@pytest.mark.parametrize("name", METHODS)
def test_outer_is_a_finite_scalar_that_moves_every_parameter_of_the_student(
    name, architecture, material, network, teacher
):
    student = network(architecture).train()

    loss = METHODS[name]().outer(material(student))
    loss.backward()

    assert loss.shape == ()
    assert loss.isfinite()
    untouched = [key for key, p in student.named_parameters() if p.grad is None]
    assert untouched == []
    assert all(p.grad.isfinite().all() for p in student.parameters())
    assert all(p.grad is None for p in teacher.parameters())


@pytest.mark.parametrize("architecture", STUDENTS)
@pytest.mark.parametrize("name", METHODS)
def test_inner_gives_the_attack_a_value_and_a_direction_per_image(
    name, architecture, material, network, teacher
):
    student = network(architecture).eval()
    clean, labels = material(student).clean, material(student).labels
    images = (clean.images.detach() + 0.05).requires_grad_()

    objective = METHODS[name]().inner(student, teacher, clean, labels)

    assert (objective is not None) == METHODS[name].attacks
    values = objective(images) if objective is not None else images.sum(dim=(1, 2, 3))
    (gradient,) = torch.autograd.grad(values.sum(), images)
    assert values.shape == (8,)
    assert gradient.flatten(1).abs().sum(dim=1).gt(0).all()


@pytest.mark.parametrize("name", METHODS)
def test_inner_leaves_the_pass_of_the_loss_to_the_loss(name, material, network, teacher):
    student = network().train()
    view = material(student).clean

    METHODS[name]().inner(student, teacher, view, material(student).labels)

    assert "student" not in vars(view)


@pytest.mark.parametrize("name", METHODS)
def test_outer_does_not_depend_on_the_order_of_the_batch(name, material, network):
    student = network().train()
    method, first = METHODS[name](), material(student)
    order = torch.tensor([3, 1, 7, 0, 2, 6, 5, 4])

    losses = [method.outer(first), method.outer(reordered(first, order))]

    torch.testing.assert_close(losses[0], losses[1])


@pytest.mark.parametrize("name", METHODS)
def test_in_half_precision_losses_are_computed_in_single_precision(name, material, network):
    student = network().train()
    expected = METHODS[name]().outer(material(student))

    with torch.autocast("cpu", torch.bfloat16):
        loss = METHODS[name]().outer(material(student))

    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, expected, rtol=0.1, atol=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_trains_an_epoch_and_leaves_both_teachers_alone(name, trial, teacher, network):
    teachers = [teacher, network("small_resnet8")]
    distillation = Distillation.build(trial(method={"name": name}), *teachers)
    weight = distillation.student.model.fc.weight.detach().clone()
    lessons = [{k: v.clone() for k, v in one.state_dict().items()} for one in teachers]

    metrics = distillation.train_epoch()

    assert math.isfinite(metrics["train/loss"])
    assert not torch.equal(distillation.student.model.fc.weight, weight)
    for one, lesson in zip(teachers, lessons, strict=True):
        assert all(torch.equal(value, lesson[key]) for key, value in one.state_dict().items())
        assert not any(module.training for module in one.modules())


@pytest.mark.parametrize("name", METHODS)
def test_without_the_teachers_it_needs_it_is_refused(name, trial):
    method, alone = METHODS[name](), {"alignments": dict.fromkeys(["logits"], False)}
    brought = METHODS[name].conventions.get("alignments", {})

    if method.needs_teacher or brought:
        with pytest.raises(ValueError, match="teacher is missing"):
            trial(method={"name": name}, teacher=None, clean_teacher=None)
    else:
        built = Distillation.build(trial(method={"name": name}, teacher=None, **alone))
        assert math.isfinite(built.train_epoch()["train/loss"])


@pytest.mark.parametrize("name", [n for n in METHODS if METHODS[n]().needs_clean_teacher])
def test_without_the_clean_teacher_it_needs_it_is_refused(name, trial, teacher):
    with pytest.raises(ValueError, match="clean_teacher is missing, but method"):
        trial(method={"name": name}, clean_teacher=None)

    with pytest.raises(ValueError, match="learns from a clean teacher"):
        Distillation.build(trial(method={"name": name}), teacher)


@pytest.mark.parametrize("field", ["temperature"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("name", [n for n in METHODS if "temperature" in METHODS[n].model_fields])
def test_a_temperature_that_is_no_positive_number_is_refused(name, value, field, trial):
    with pytest.raises(ValueError, match="temperature"):
        trial(method={"name": name, field: value})


@pytest.mark.parametrize("name", METHODS)
def test_a_weight_that_is_no_number_is_refused(name):
    numbers = [
        key
        for key, field in METHODS[name].model_fields.items()
        if field.annotation is float and key != "temperature"
    ]

    for key in numbers:
        with pytest.raises(ValueError, match=key):
            METHODS[name].model_validate({key: float("nan")})
