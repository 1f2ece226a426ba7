import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from trainables.alignments import InputGradientAlignment
from trainables.methods import Batch, View
from trainables.models import allow_double_backward, computing_in, module_mode

NO_MODULES = nn.ModuleDict()
LABELS = torch.tensor([0, 1, 2, 0, 1])


def gradient_gap(images, student, teacher):
    """Per image, W_S^T (p_S - y) - W_T^T (p_T - y): the gap between the linear input gradients."""
    target = F.one_hot(LABELS, 3)
    gradients = [
        (network(images).softmax(dim=1) - target) @ (scale * network.model.weight)
        for network, scale in ((student, student.model.scale), (teacher, teacher.model.scale))
    ]
    return gradients[0] - gradients[1]


def test_per_sample_form_is_the_mean_norm_of_the_gradient_gaps(linear_batch):
    batch, student, teacher = linear_batch

    loss = InputGradientAlignment().loss(batch, NO_MODULES)

    gap = gradient_gap(batch.clean.images, student, teacher)
    torch.testing.assert_close(loss, gap.norm(dim=1).mean())


def test_shao2021_is_the_frobenius_norm_of_mean_loss_gradients_over_the_batch_size(linear_batch):
    batch, student, teacher = linear_batch
    images = batch.clean.images.detach().requires_grad_()
    gradients = [
        torch.autograd.grad(F.cross_entropy(network(images), LABELS), images)[0]
        for network in (student, teacher)
    ]

    loss = InputGradientAlignment(scale="shao2021").loss(batch, NO_MODULES)

    torch.testing.assert_close(loss, (gradients[0] - gradients[1]).norm(2) / 5)


def test_squared_distance_and_cosine_by_hand(linear_batch):
    batch, student, teacher = linear_batch
    images = batch.clean.images
    gap = gradient_gap(images, student, teacher)

    squared = InputGradientAlignment(distance="l2_squared").loss(batch, NO_MODULES)

    torch.testing.assert_close(squared, gap.square().sum(dim=1).mean())


@pytest.mark.parametrize(("factor", "expected"), [(3.0, 0.0), (-1.0, 2.0)])
def test_cosine_distance_sees_directions_only(factor, expected, linear_network):
    # logits (z, 0) at z = 0: the gradient is proportional to the weight
    weight = torch.tensor([[0.5, -1.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    student, teacher = linear_network(factor * weight), linear_network(weight)
    view = View(torch.zeros(1, 1, 2, 2), student, teacher, differentiable=True)

    loss = InputGradientAlignment(distance="cosine").loss(
        Batch(torch.tensor([0]), view, None), NO_MODULES
    )

    torch.testing.assert_close(loss, torch.tensor(expected), rtol=0, atol=1e-6)


def test_the_authors_scale_is_defined_for_their_norm_only():
    with pytest.raises(ValueError, match="distance must be 'l2', got 'cosine'"):
        InputGradientAlignment(scale="shao2021", distance="cosine")


@pytest.mark.parametrize("distance", ["l2", "l2_squared", "cosine"])
@pytest.mark.parametrize("batch_norm", ["train", "eval"])
def test_double_backward_equals_finite_differences(distance, batch_norm, batch, network, teacher):
    student, teacher = network().double().train(), teacher.double()
    term = InputGradientAlignment(distance=distance, batch_norm=batch_norm)
    weights = parameters_to_vector(student.parameters()).detach()
    direction = torch.randn_like(weights)
    step = 1e-8  # so small that no ReLU changes its side

    def loss_at(offset):
        vector_to_parameters(weights + offset * direction, student.parameters())
        return term.loss(batch(student, teacher), NO_MODULES)

    numeric = (loss_at(step) - loss_at(-step)).item() / (2 * step)
    loss_at(0.0).backward()
    gradient = torch.cat(  # a bias that no input gradient depends on has none
        [
            torch.zeros(p.numel()) if p.grad is None else p.grad.flatten()
            for p in student.parameters()
        ]
    )

    assert (gradient @ direction).item() == pytest.approx(numeric, rel=1e-5)


def test_eval_mode_gradients_are_those_of_single_images(network, teacher, digits):
    student = network().train()
    images, labels = digits.train.images[:6], digits.train.labels[:6]
    term = InputGradientAlignment(batch_norm="eval")
    views = [
        View(part, student, teacher, differentiable=True) for part in (images, *images.split(1))
    ]

    whole, *singles = (
        term.loss(Batch(part, view, None), NO_MODULES)
        for part, view in zip((labels, *labels.split(1)), views, strict=True)
    )

    torch.testing.assert_close(whole, torch.stack(singles).mean())


def test_train_mode_couples_the_images_of_a_batch(batch, network, teacher):
    student = network().train()

    train, evaluation = (
        InputGradientAlignment(batch_norm=mode).loss(batch(student, teacher), NO_MODULES)
        for mode in ("train", "eval")
    )

    assert not math.isclose(train.item(), evaluation.item(), rel_tol=0.01)


def test_eval_mode_leaves_the_statistics_and_the_flags_alone(batch, network, teacher):
    student = network().train()
    with module_mode(student, training=False):
        material = batch(student, teacher)
        before = {key: value.clone() for key, value in student.state_dict().items()}

    InputGradientAlignment(batch_norm="eval").loss(material, NO_MODULES)

    assert all(torch.equal(value, before[key]) for key, value in student.state_dict().items())
    assert all(module.training for module in student.modules())


def test_an_exactly_aligned_student_gets_a_finite_gradient(linear_network):
    weight = torch.randn(3, 4)
    student, teacher = linear_network(weight), linear_network(weight)
    view = View(torch.rand(5, 1, 2, 2), student, teacher, differentiable=True)

    InputGradientAlignment().loss(Batch(LABELS, view, None), NO_MODULES).backward()

    assert student.model.weight.grad.isfinite().all()


# without a double backward


SMOOTH = {"architecture": "vit_pico_patch2_8", "step": 0.1, "dtype": torch.float32}
KINKED = {"architecture": "small_resnet6", "step": 1e-7, "dtype": torch.float64}
"""A step so small that no ReLU changes its side; the default step is for smooth networks."""


@pytest.mark.parametrize("case", [SMOOTH, KINKED], ids=["smooth", "kinked"])
@pytest.mark.parametrize("distance", ["l2", "l2_squared", "cosine"])
@pytest.mark.parametrize("batch_norm", ["train", "eval"])
def test_finite_differences_give_the_exact_gradient(
    distance, batch_norm, case, batch, network, teacher
):
    student = network(case["architecture"]).train().to(case["dtype"])
    teacher = teacher.to(case["dtype"])
    allow_double_backward(student)
    gradients, losses = [], []

    for mode in ("exact", "finite_difference"):
        term = InputGradientAlignment(
            distance=distance, batch_norm=batch_norm, mode=mode, step=case["step"]
        )
        student.zero_grad()
        losses.append(term.loss(batch(student, teacher), NO_MODULES))
        losses[-1].backward()
        gradients.append(
            torch.cat(
                [
                    torch.zeros(p.numel()) if p.grad is None else p.grad.flatten()
                    for p in student.parameters()
                ]
            )
        )

    torch.testing.assert_close(losses[0], losses[1])
    assert F.cosine_similarity(*gradients, dim=0) > 0.999
    assert gradients[1].norm() == pytest.approx(gradients[0].norm().item(), rel=0.02)


def test_finite_differences_leave_the_statistics_to_the_pass_of_the_loss(batch, network, teacher):
    exact, approximate = network().train(), network().train()
    approximate.load_state_dict(exact.state_dict())

    for student, mode in ((exact, "exact"), (approximate, "finite_difference")):
        InputGradientAlignment(mode=mode).loss(batch(student, teacher), NO_MODULES).backward()

    buffers = dict(exact.named_buffers())
    assert all(torch.equal(value, buffers[key]) for key, value in approximate.named_buffers())
    assert exact.model.stem[1].num_batches_tracked == 1


def test_finite_differences_need_no_second_derivative(batch, network, teacher):
    student = network("vit_pico_patch2_8").train()  # fused attention has none

    InputGradientAlignment(mode="finite_difference").loss(
        batch(student, teacher), NO_MODULES
    ).backward()

    assert not InputGradientAlignment(mode="finite_difference").needs_double_backward
    assert student.model.patch_embed.proj.weight.grad.isfinite().all()


def test_finite_differences_are_taken_in_float32_where_training_is_in_half_precision(
    batch, network, teacher
):
    student, seen = network(), []
    student.model.register_forward_hook(lambda _, __, logits: seen.append(logits.dtype))
    material = batch(student.train(), teacher)

    with computing_in(torch.bfloat16, student, teacher):
        InputGradientAlignment(mode="finite_difference").loss(material, NO_MODULES)

    assert seen == [torch.float32, torch.float32]  # the pass of the loss taps features


@pytest.mark.parametrize("mode", ["exact", "finite_difference"])
def test_in_eval_mode_a_later_pass_in_train_mode_does_not_change_the_gradient(
    mode, batch, network, teacher
):
    student, term = network().train(), InputGradientAlignment(batch_norm="eval", mode=mode)
    parameters = list(student.parameters())

    expected = torch.autograd.grad(
        term.loss(batch(student, teacher), NO_MODULES), parameters, allow_unused=True
    )
    loss = term.loss(batch(student, teacher), NO_MODULES)
    student(batch(student, teacher).clean.images)
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)

    assert student.model.stem[1].num_batches_tracked == 1
    torch.testing.assert_close(
        [gradient for gradient in gradients if gradient is not None],
        [gradient for gradient in expected if gradient is not None],
        rtol=0,
        atol=0,
    )
