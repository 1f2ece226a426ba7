import pytest
import torch
from torch import nn
from torch.nn import functional as F

from trainables.alignments import ALIGNMENTS, Alignments, InputGradientAlignment, LogitAlignment
from trainables.attacks import AttackConfig
from trainables.methods import METHODS, kl_to_teacher
from trainables.models import allow_double_backward
from trainables.threat import ThreatModel
from trainables.training import Networks, Step, train_epoch

FGSM = AttackConfig(steps=1, step_size=1.0, start="none")
LEARNING_RATE = 0.5


def one_epoch(student, teacher, batches, *, alignments=None, modules=None, attack=FGSM, **options):
    """Adversarial training by plain gradient descent; the sum of each loss."""
    terms = (alignments or Alignments()).active()
    empty = nn.ModuleDict({name: nn.ModuleDict() for name in terms})
    step = Step(
        method=METHODS["adversarial_training"](),
        alignments=terms,
        modules=modules or empty,
        threat=ThreatModel(epsilon=0.1),
        attack=attack,
    )
    parameters = [p for module in (student, step.modules) for p in module.parameters()]
    optimizer = torch.optim.SGD([p for p in parameters if p.requires_grad], lr=LEARNING_RATE)
    return train_epoch(
        batches,
        step,
        Networks(student, teacher),
        optimizer=optimizer,
        scheduler=torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0),
        generator=torch.Generator().manual_seed(0),
        **options,
    )


@pytest.fixture
def material(linear_network):
    """Two linear classifiers and one batch."""
    images, labels = torch.rand(5, 1, 2, 2), torch.tensor([0, 1, 2, 0, 1])
    student, teacher = (linear_network(torch.randn(3, 4)) for _ in range(2))
    return student, teacher.eval().requires_grad_(False), images, labels


def fgsm_by_hand(network, images, labels):
    weight = network.model.scale * network.model.weight
    gradient = (network(images).softmax(dim=1) - F.one_hot(labels, 3)) @ weight
    return (images + 0.1 * gradient.sign().view_as(images)).clamp(0, 1).detach()


def test_a_step_descends_the_weighted_sum_of_all_terms(material):
    student, teacher, images, labels = material
    alignments = Alignments(
        logits=LogitAlignment(weight=0.3), input_gradient=InputGradientAlignment(weight=0.7)
    )
    adversarial = fgsm_by_hand(student, images, labels)
    before = student.model.weight.detach().clone()
    clean = images.clone().requires_grad_()
    gradients = [
        torch.autograd.grad(
            F.cross_entropy(network(clean), labels, reduction="sum"), clean, create_graph=True
        )[0]
        for network in (student, teacher)
    ]
    gap = gradients[0] - gradients[1].detach()
    by_hand = {
        "method": F.cross_entropy(student(adversarial), labels),
        "logits": 0.3 * kl_to_teacher(student(adversarial), teacher(adversarial)),
        "input_gradient": 0.7 * gap.flatten(1).norm(dim=1).mean(),
    }
    (gradient,) = torch.autograd.grad(sum(by_hand.values()), student.model.weight)

    totals = one_epoch(student, teacher, [(images, labels)], alignments=alignments)

    torch.testing.assert_close(totals, {key: loss.detach() for key, loss in by_hand.items()})
    torch.testing.assert_close(student.model.weight.data, before - LEARNING_RATE * gradient)


def test_losses_are_summed_over_the_steps(material):
    student, _, images, labels = material
    student.requires_grad_(True)
    first = F.cross_entropy(student(fgsm_by_hand(student, images, labels)), labels).item()

    totals = one_epoch(student, None, [(images, labels)] * 2, clip_norm=1e-12)

    assert totals["method"].item() == pytest.approx(2 * first)


def test_the_gradient_is_clipped(material):
    student, _, images, labels = material
    before = nn.utils.parameters_to_vector(student.parameters()).detach().clone()

    one_epoch(student, None, [(images, labels)], clip_norm=0.01)

    moved = nn.utils.parameters_to_vector(student.parameters()).detach() - before
    assert moved.norm().item() == pytest.approx(LEARNING_RATE * 0.01, rel=1e-3)


@pytest.mark.parametrize(("batch_norm", "passes"), [("eval", 2), ("train", 2 + 2 * 3)])
def test_batch_norm_sees_the_attack_only_in_train_mode(batch_norm, passes, network, digits):
    student = network()
    images, labels = digits.train.images[:20], digits.train.labels[:20]
    attack = AttackConfig(steps=3, batch_norm=batch_norm)

    one_epoch(student, None, [(images, labels)] * 2, attack=attack)

    assert student.model.stem[1].num_batches_tracked == passes
    assert all(module.training for module in student.modules())


@pytest.mark.parametrize("name", ALIGNMENTS)
def test_every_term_moves_the_student(name, network, teacher, digits):
    images, labels = digits.train.images[:20], digits.train.labels[:20]
    plain, aligned = network(), network()
    aligned.load_state_dict(plain.state_dict())
    settings = {"projector": "none", "axis": "sample"} if name in {"covariance", "gram"} else {}
    alignments = Alignments(**{name: ALIGNMENTS[name](weight=2.0, **settings)})

    one_epoch(plain, teacher, [(images, labels)])
    one_epoch(aligned, teacher, [(images, labels)], alignments=alignments)

    assert not torch.equal(plain.model.stem[0].weight, aligned.model.stem[0].weight)


@pytest.mark.parametrize("architecture", ["vit_pico_patch2_8", "small_resnet6", "wide_resnet_10_1"])
def test_input_gradients_are_aligned_through_any_student(architecture, network, teacher, digits):
    images, labels = digits.train.images[:20], digits.train.labels[:20]
    student = network(architecture)
    allow_double_backward(student)
    alignments = Alignments(input_gradient=InputGradientAlignment())

    totals = one_epoch(student, teacher, [(images, labels)], alignments=alignments)

    assert totals["input_gradient"] > 0
    assert all(parameter.isfinite().all() for parameter in student.parameters())


def test_nothing_but_the_student_gets_a_gradient(network, teacher, digits):
    images, labels = digits.train.images[:20], digits.train.labels[:20]
    alignments = Alignments(input_gradient=InputGradientAlignment(), logits=LogitAlignment())
    before = {key: value.clone() for key, value in teacher.state_dict().items()}

    one_epoch(network(), teacher, [(images, labels)], alignments=alignments)

    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert all(torch.equal(value, before[key]) for key, value in teacher.state_dict().items())
    assert images.grad is None
    assert not images.requires_grad


def test_views_of_a_step_tap_the_layers_that_its_terms_ask_for(network, teacher):
    terms = Alignments(gram={"taps": (-2,)}, covariance={"taps": (-1,)}).active()
    step = Step(
        method=METHODS["adversarial_training"](),
        alignments=terms,
        modules=nn.ModuleDict(),
        threat=ThreatModel(),
        attack=FGSM,
    )

    networks, generator = Networks(network(), teacher), torch.Generator().manual_seed(0)
    view = step.batch(torch.rand(2, 1, 8, 8), torch.tensor([0, 1]), networks, generator).adversarial

    assert list(view.student.features) == list(view.teacher.features) == [-2, -1]
    assert not view.images.requires_grad
