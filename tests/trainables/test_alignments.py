import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from trainables.alignments import (
    ALIGNMENTS,
    Alignments,
    CovarianceAlignment,
    GramAlignment,
    InputGradientAlignment,
    LogitAlignment,
)
from trainables.alignments.moments import second_moment
from trainables.alignments.projector import create_projector
from trainables.methods import Batch, View, kl_to_teacher
from trainables.models import module_mode

NO_PROJECTORS = nn.ModuleDict()
LABELS = torch.tensor([0, 1, 2, 0, 1])


@pytest.fixture
def linear_batch(linear_network):
    """``(batch, student, teacher)``: two linear classifiers and five pairs of images."""
    student, teacher = linear_network(torch.randn(3, 4), 1.5), linear_network(torch.randn(3, 4))
    clean, adversarial = (
        View(torch.rand(5, 1, 2, 2), student, teacher, layers=(-1,), differentiable=True)
        for _ in range(2)
    )
    return Batch(LABELS, clean, adversarial), student, teacher


def projectors_of(term, student, teacher):
    widths = (network.feature_widths((1, 8, 8), term.layers) for network in (student, teacher))
    return term.projectors(*widths)


def gradient_gap(images, student, teacher):
    """Per image, W_S^T (p_S - y) - W_T^T (p_T - y): the gap between the linear input gradients."""
    target = F.one_hot(LABELS, 3)
    gradients = [
        (network(images).softmax(dim=1) - target) @ (scale * network.model.weight)
        for network, scale in ((student, student.model.scale), (teacher, teacher.model.scale))
    ]
    return gradients[0] - gradients[1]


# every entry of the registry


def test_contract_the_registry_and_the_config_name_the_same_terms():
    assert list(Alignments.model_fields) == list(ALIGNMENTS)
    assert len({term.symbol for term in ALIGNMENTS.values()}) == len(ALIGNMENTS)


@pytest.mark.parametrize("name", ALIGNMENTS)
def test_contract_describes_every_setting(name):
    assert all(field.description for field in ALIGNMENTS[name].model_fields.values())


@pytest.mark.parametrize("domains", ["clean", "adversarial", "both"])
@pytest.mark.parametrize("name", ALIGNMENTS)
def test_contract_moves_the_student_and_not_the_teacher(name, domains, batch, network, teacher):
    student, term = network().train(), ALIGNMENTS[name](domains=domains)

    loss = term.loss(batch(student, teacher), projectors_of(term, student, teacher))
    loss.backward()

    assert loss.shape == ()
    assert loss > 0
    assert loss.isfinite()
    assert student.model.stem[0].weight.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in teacher.parameters())


@pytest.mark.parametrize("name", ALIGNMENTS)
def test_contract_is_zero_for_a_student_that_equals_its_teacher(name, batch, network):
    student, term = network().eval(), ALIGNMENTS[name]()

    loss = term.loss(batch(student, student), NO_PROJECTORS)

    torch.testing.assert_close(loss, torch.tensor(0.0), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ALIGNMENTS)
def test_contract_both_domains_are_averaged(name, batch, network, teacher):
    student = network().eval()
    terms = [ALIGNMENTS[name](domains=domains) for domains in ("both", "clean", "adversarial")]
    projectors = projectors_of(terms[0], student, teacher)

    both, clean, adversarial = (term.loss(batch(student, teacher), projectors) for term in terms)

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


# alpha


def test_logits_are_compared_on_the_adversarial_images_by_default(linear_batch):
    batch, student, teacher = linear_batch
    images = batch.adversarial.images

    loss = LogitAlignment(temperature=3.0).loss(batch, NO_PROJECTORS)

    torch.testing.assert_close(loss, kl_to_teacher(student(images), teacher(images), 3.0))


def test_the_teacher_may_see_clean_images_instead(linear_batch):
    batch, student, teacher = linear_batch

    loss = LogitAlignment(teacher_sees="clean", reduction="mean").loss(batch, NO_PROJECTORS)

    by_hand = kl_to_teacher(student(batch.adversarial.images), teacher(batch.clean.images)) / 3
    torch.testing.assert_close(loss, by_hand)


# beta and gamma


def test_covariance_of_two_features_by_hand():
    features = torch.tensor([[[0.0, 0.0]], [[2.0, 4.0]]])

    covariance = second_moment(features, axis="channel", pool="average", centered=True)

    torch.testing.assert_close(covariance, torch.tensor([[1.0, 2.0], [2.0, 4.0]]))


def test_gram_of_two_samples_by_hand():
    features = torch.tensor([[[1.0, 2.0]], [[3.0, 4.0]]])

    gram = second_moment(features, axis="sample", pool="average", centered=False)

    torch.testing.assert_close(gram, torch.tensor([[2.5, 5.5], [5.5, 12.5]]))


@pytest.mark.parametrize(("pool", "dims"), [("average", 0), ("spatial", (0, 1))])
def test_the_diagonal_of_the_covariance_is_the_variance(pool, dims):
    features = torch.randn(7, 3, 5)
    samples = features.mean(dim=1) if pool == "average" else features

    covariance = second_moment(features, axis="channel", pool=pool, centered=True)

    torch.testing.assert_close(covariance.diagonal(), samples.var(dim=dims, correction=0))


def test_a_batch_smaller_than_the_width_gives_a_covariance_of_low_rank():
    features = torch.randn(4, 2, 10, dtype=torch.float64, requires_grad=True)

    covariance = second_moment(features, axis="channel", pool="average", centered=True)
    (gradient,) = torch.autograd.grad(covariance.square().sum(), features)

    assert covariance.shape == (10, 10)
    assert torch.linalg.matrix_rank(covariance) == 3
    assert gradient.isfinite().all()


def test_centring_survives_a_large_mean():
    spread = torch.randn(50, 1, 3)

    covariance = second_moment(spread + 1000, axis="channel", pool="average", centered=True)

    expected = second_moment(spread, axis="channel", pool="average", centered=True)
    torch.testing.assert_close(covariance, expected, rtol=1e-3, atol=1e-3)


def test_spatial_positions_are_samples_of_channels_or_features_of_samples():
    features = torch.randn(3, 4, 2)

    channel, sample = (
        second_moment(features, axis=axis, pool="spatial", centered=False)
        for axis in ("channel", "sample")
    )

    torch.testing.assert_close(channel, torch.einsum("bpc,bpd->cd", features, features) / 12)
    torch.testing.assert_close(sample, torch.einsum("apc,bpc->ab", features, features) / 8)


def test_covariance_loss_is_the_squared_frobenius_distance(linear_batch):
    batch, _, _ = linear_batch
    term = CovarianceAlignment(domains="clean", projector="none", normalize="none", pool="spatial")

    loss = term.loss(batch, NO_PROJECTORS)

    variance = batch.clean.images.var(correction=0)  # one channel, scaled by 1.5 in the student
    torch.testing.assert_close(loss, (1.5**2 * variance - variance) ** 2)


def test_normalised_by_the_teacher_the_scale_of_features_does_not_matter(linear_batch):
    batch, _, _ = linear_batch
    term = CovarianceAlignment(domains="clean", projector="none", pool="spatial")

    loss = term.loss(batch, NO_PROJECTORS)

    torch.testing.assert_close(loss, torch.tensor((1.5**2 - 1) ** 2))


def test_gram_loss_is_the_squared_frobenius_distance(linear_batch):
    batch, _, _ = linear_batch
    images = batch.clean.images.flatten(1)
    term = GramAlignment(domains="clean", normalize="none", pool="spatial")

    loss = term.loss(batch, NO_PROJECTORS)

    gram = images @ images.T / 4
    torch.testing.assert_close(loss, (1.5**2 * gram - gram).square().sum())


def test_several_layers_are_averaged(batch, network, teacher):
    student = network().eval()
    material = batch(student, teacher, layers=(-1, -2))

    both, last, second = (
        GramAlignment(taps=taps).loss(material, NO_PROJECTORS) for taps in ((-1, -2), (-1,), (-2,))
    )

    torch.testing.assert_close(both, (last + second) / 2)


def test_layers_are_counted_from_the_end():
    with pytest.raises(ValueError, match="less than 0"):
        GramAlignment(taps=(0,))


def test_a_dead_teacher_gives_no_nan(linear_network):
    student, teacher = linear_network(torch.randn(3, 4)), linear_network(torch.randn(3, 4), 0.0)
    view = View(torch.zeros(5, 1, 2, 2), student, teacher, layers=(-1,))

    loss = GramAlignment().loss(Batch(LABELS, view, None), NO_PROJECTORS)

    assert loss == 0


# projectors


@pytest.mark.parametrize("widths", [(16, 64), (64, 16), (8, 8)])
@pytest.mark.parametrize("kind", ["linear", "random_orthogonal"])
def test_projectors_map_widths_and_keep_lengths_at_first(kind, widths):
    projector = create_projector(kind, *widths)

    shorter = min(widths)
    weight = projector.weight if widths[1] <= widths[0] else projector.weight.T
    assert projector(torch.rand(2, 3, widths[0])).shape == (2, 3, widths[1])
    torch.testing.assert_close(weight @ weight.T, torch.eye(shorter), rtol=0, atol=1e-5)


def test_only_the_linear_projector_is_trained():
    assert create_projector("linear", 2, 3).weight.requires_grad
    assert not create_projector("random_orthogonal", 2, 3).weight.requires_grad


def test_the_loss_reaches_the_trained_projector(batch, network, teacher):
    student, term = network().train(), CovarianceAlignment()
    projectors = projectors_of(term, student, teacher)

    term.loss(batch(student, teacher), projectors).backward()

    assert projectors["-1"].weight.grad.abs().sum() > 0


def test_unequal_widths_without_a_projector_are_refused_in_one_sentence(network, teacher):
    with pytest.raises(
        ValueError, match="student has 16 channels and the teacher 64; set"
    ) as error:
        projectors_of(CovarianceAlignment(projector="none"), network(), teacher)

    assert "\n" not in str(error.value)


@pytest.mark.parametrize("term", [GramAlignment(), CovarianceAlignment(axis="sample")])
def test_sample_moments_of_unequal_widths_need_no_projector(term, batch, network, teacher):
    student = network()

    projectors = projectors_of(term, student, teacher)

    assert len(projectors) == 0
    assert term.loss(batch(student, teacher), projectors).isfinite()


# lambda


def test_per_sample_form_is_the_mean_norm_of_the_gradient_gaps(linear_batch):
    batch, student, teacher = linear_batch

    loss = InputGradientAlignment().loss(batch, NO_PROJECTORS)

    gap = gradient_gap(batch.clean.images, student, teacher)
    torch.testing.assert_close(loss, gap.norm(dim=1).mean())


def test_shao2021_is_the_frobenius_norm_of_mean_loss_gradients_over_the_batch_size(linear_batch):
    batch, student, teacher = linear_batch
    images = batch.clean.images.detach().requires_grad_()
    gradients = [
        torch.autograd.grad(F.cross_entropy(network(images), LABELS), images)[0]
        for network in (student, teacher)
    ]

    loss = InputGradientAlignment(scale="shao2021").loss(batch, NO_PROJECTORS)

    torch.testing.assert_close(loss, (gradients[0] - gradients[1]).norm(2) / 5)


def test_squared_distance_and_cosine_by_hand(linear_batch):
    batch, student, teacher = linear_batch
    images = batch.clean.images
    gap = gradient_gap(images, student, teacher)

    squared = InputGradientAlignment(distance="l2_squared").loss(batch, NO_PROJECTORS)

    torch.testing.assert_close(squared, gap.square().sum(dim=1).mean())


@pytest.mark.parametrize(("factor", "expected"), [(3.0, 0.0), (-1.0, 2.0)])
def test_cosine_distance_sees_directions_only(factor, expected, linear_network):
    # logits (z, 0) at z = 0: the gradient is proportional to the weight
    weight = torch.tensor([[0.5, -1.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    student, teacher = linear_network(factor * weight), linear_network(weight)
    view = View(torch.zeros(1, 1, 2, 2), student, teacher, differentiable=True)

    loss = InputGradientAlignment(distance="cosine").loss(
        Batch(torch.tensor([0]), view, None), NO_PROJECTORS
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
        return term.loss(batch(student, teacher), NO_PROJECTORS)

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
        term.loss(Batch(part, view, None), NO_PROJECTORS)
        for part, view in zip((labels, *labels.split(1)), views, strict=True)
    )

    torch.testing.assert_close(whole, torch.stack(singles).mean())


def test_train_mode_couples_the_images_of_a_batch(batch, network, teacher):
    student = network().train()

    train, evaluation = (
        InputGradientAlignment(batch_norm=mode).loss(batch(student, teacher), NO_PROJECTORS)
        for mode in ("train", "eval")
    )

    assert not math.isclose(train.item(), evaluation.item(), rel_tol=0.01)


def test_eval_mode_leaves_the_statistics_and_the_flags_alone(batch, network, teacher):
    student = network().train()
    with module_mode(student, training=False):
        material = batch(student, teacher)
        before = {key: value.clone() for key, value in student.state_dict().items()}

    InputGradientAlignment(batch_norm="eval").loss(material, NO_PROJECTORS)

    assert all(torch.equal(value, before[key]) for key, value in student.state_dict().items())
    assert all(module.training for module in student.modules())


def test_an_exactly_aligned_student_gets_a_finite_gradient(linear_network):
    weight = torch.randn(3, 4)
    student, teacher = linear_network(weight), linear_network(weight)
    view = View(torch.rand(5, 1, 2, 2), student, teacher, differentiable=True)

    InputGradientAlignment().loss(Batch(LABELS, view, None), NO_PROJECTORS).backward()

    assert student.model.weight.grad.isfinite().all()
