from typing import get_args

import pytest
import torch
from torch import nn

from trainables.alignments import ALIGNMENTS, Alignments, LogitAlignment
from trainables.methods import Batch, kl_to_teacher
from trainables.models import allow_double_backward

NO_MODULES = nn.ModuleDict()
TERMS_AND_DOMAINS = [
    (name, domains)
    for name, term in ALIGNMENTS.items()
    for domains in get_args(term.model_fields["domains"].annotation)
]


def test_contract_the_registry_and_the_config_name_the_same_terms():
    assert list(Alignments.model_fields) == list(ALIGNMENTS)
    assert len({term.symbol for term in ALIGNMENTS.values()}) == len(ALIGNMENTS)


@pytest.mark.parametrize("name", ALIGNMENTS)
def test_contract_describes_every_setting(name):
    assert all(field.description for field in ALIGNMENTS[name].model_fields.values())


@pytest.mark.parametrize(("name", "domains"), TERMS_AND_DOMAINS)
def test_contract_moves_the_student_and_not_the_teacher(
    name, domains, batch, network, teacher, modules_of
):
    student, term = network().train(), ALIGNMENTS[name](domains=domains)

    loss = term.loss(batch(student, teacher), modules_of(term, student, teacher))
    loss.backward()

    assert loss.shape == ()
    assert loss > 0
    assert loss.isfinite()
    assert student.model.stem[0].weight.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in teacher.parameters())


@pytest.mark.parametrize("name", ALIGNMENTS)
def test_contract_is_zero_for_a_student_that_equals_its_teacher(name, batch, network):
    student, term = network().eval(), ALIGNMENTS[name]()

    loss = term.loss(batch(student, student), NO_MODULES)

    torch.testing.assert_close(loss, torch.tensor(0.0), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "name", [name for name, domains in TERMS_AND_DOMAINS if domains == "clean"]
)
def test_contract_both_domains_are_averaged(name, batch, network, teacher, modules_of):
    student = network().eval()
    terms = [ALIGNMENTS[name](domains=domains) for domains in ("both", "clean", "adversarial")]
    modules = modules_of(terms[0], student, teacher)

    both, clean, adversarial = (term.loss(batch(student, teacher), modules) for term in terms)

    torch.testing.assert_close(both, (clean + adversarial) / 2)
    assert not torch.isclose(clean, adversarial)


@pytest.mark.parametrize("name", ALIGNMENTS)
def test_contract_at_weight_zero_it_is_not_active(name):
    assert Alignments.model_validate({name: {"weight": 0}}).active() == {}
    assert list(Alignments.model_validate({name: {"weight": 0.1}}).active()) == [name]


@pytest.mark.parametrize("name", ALIGNMENTS)
def test_contract_is_switched_by_true_and_false(name):
    on, off = (Alignments.model_validate({name: switch}) for switch in (True, False))

    assert on.active() == {name: ALIGNMENTS[name]()}
    assert off == Alignments()


@pytest.mark.parametrize("name", ALIGNMENTS)
def test_contract_a_negative_weight_is_refused(name):
    with pytest.raises(ValueError, match="greater than or equal to 0"):
        Alignments.model_validate({name: {"weight": -0.1}})


@pytest.mark.parametrize("architecture", ["small_resnet6", "vit_pico_patch2_8"])
@pytest.mark.parametrize("name", ALIGNMENTS)
def test_contract_works_for_convolutions_and_transformers(
    name, architecture, batch, network, teacher, modules_of
):
    student, term = network(architecture).train(), ALIGNMENTS[name]()
    allow_double_backward(student)

    loss = term.loss(batch(student, teacher), modules_of(term, student, teacher))
    loss.backward()

    gradients = [p.grad for p in student.parameters() if p.grad is not None]
    assert loss > 0
    assert len(gradients) > 5
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("name", ALIGNMENTS)
def test_contract_does_not_depend_on_the_order_of_the_batch(
    name, batch, network, teacher, modules_of
):
    student, term = network().train(), ALIGNMENTS[name]()
    first, order = batch(student, teacher), torch.tensor([3, 1, 7, 0, 2, 6, 5, 4])
    views = [view.at(view.images[order]) for view in (first.clean, first.adversarial)]
    second = Batch(first.labels[order], *views)
    modules = modules_of(term, student, teacher)

    losses = [term.loss(material, modules) for material in (first, second)]

    torch.testing.assert_close(losses[0], losses[1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ALIGNMENTS)
def test_contract_in_half_precision_it_is_computed_in_single_precision(
    name, batch, network, teacher, modules_of
):
    student, term = network().train(), ALIGNMENTS[name]()
    modules = modules_of(term, student, teacher)
    expected = term.loss(batch(student, teacher), modules)

    with torch.autocast("cpu", torch.bfloat16):
        loss = term.loss(batch(student, teacher), modules)

    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, expected, rtol=0.3, atol=0.05)


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ALIGNMENTS)
def test_contract_a_weight_that_is_no_number_above_zero_is_refused(name, value):
    with pytest.raises(ValueError, match="weight"):
        Alignments.model_validate({name: {"weight": value}})


# alpha


def test_logits_are_compared_on_the_adversarial_images_by_default(linear_batch):
    batch, student, teacher = linear_batch
    images = batch.adversarial.images

    loss = LogitAlignment(temperature=3.0).loss(batch, NO_MODULES)

    torch.testing.assert_close(loss, kl_to_teacher(student(images), teacher(images), 3.0))


def test_the_teacher_may_see_clean_images_instead(linear_batch):
    batch, student, teacher = linear_batch

    loss = LogitAlignment(teacher_sees="clean", reduction="mean").loss(batch, NO_MODULES)

    by_hand = kl_to_teacher(student(batch.adversarial.images), teacher(batch.clean.images)) / 3
    torch.testing.assert_close(loss, by_hand)
