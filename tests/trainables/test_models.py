import pytest
import torch
from torch import nn
from torch.nn import functional as F

from trainables.models import (
    allow_double_backward,
    check_architecture,
    create_network,
    known_architectures,
    module_mode,
    require_double_backward,
    untracked,
)

SMALL = ["small_resnet6", "small_resnet8", "small_wide_resnet10", "vit_pico_patch2_8"]
OURS = [*SMALL, "wide_resnet_10_1", "wide_resnet_16_2", "cifar_resnet18"]
FOREIGN = ["resnet18", "vit_tiny_patch16_224", "mobilenetv3_small_050"]


def build(architecture, side=8, channels=1, classes=10):
    return create_network(
        architecture,
        image_shape=(channels, side, side),
        num_classes=classes,
        mean=[0.3] * channels,
        std=[0.4] * channels,
    )


def second_derivative(network, images, labels):
    """Gradient, by parameter, of the squared norm of the input gradient."""
    images = images.requires_grad_()
    losses = F.cross_entropy(network(images), labels, reduction="sum")
    (gradient,) = torch.autograd.grad(losses, images, create_graph=True)
    parameters = list(network.parameters())
    return torch.autograd.grad(gradient.square().sum(), parameters, allow_unused=True)


@pytest.mark.parametrize("architecture", OURS)
def test_our_architectures_are_in_timms_registry(architecture):
    assert architecture in known_architectures()
    assert check_architecture(architecture) == architecture


@pytest.mark.parametrize("architecture", OURS)
def test_logits_come_with_the_features_that_make_them(architecture):
    network, images = build(architecture).eval(), torch.rand(3, 1, 8, 8)

    output = network.outputs(images, (-1, -2))

    assert output.logits.shape == (3, 10)
    assert list(output.features) == [-2, -1]
    assert all(feature.shape[0] == 3 for feature in output.features.values())
    torch.testing.assert_close(output.logits, network(images))


@pytest.mark.slow
@pytest.mark.parametrize("architecture", SMALL + FOREIGN)
def test_widths_are_those_of_the_features(architecture):
    side = 32 if architecture in FOREIGN else 8
    network = build(architecture, side)

    widths = network.feature_widths((1, side, side), (-1,))

    features = network.eval().outputs(torch.rand(2, 1, side, side), (-1,)).features
    assert widths == {-1: features[-1].shape[2]}


def test_pooled_last_features_feed_the_classifier():
    network, images = build("small_resnet6").eval(), torch.rand(3, 1, 8, 8)

    output = network.outputs(images, (-1,))

    torch.testing.assert_close(network.model.fc(output.features[-1].mean(dim=1)), output.logits)


def test_features_do_not_change_places():
    network = build("small_resnet8").eval()
    shape = (1, 8, 8)

    together = network.feature_widths(shape, (-1, -3))

    assert together == {
        **network.feature_widths(shape, (-3,)),
        **network.feature_widths(shape, (-1,)),
    }
    assert together == {-3: 32, -1: 64}


def test_a_layer_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match=r"SmallResNet has no feature layers \[-9\]"):
        build("small_resnet6").outputs(torch.rand(1, 1, 8, 8), (-9,))


def test_an_unknown_architecture_is_refused_with_the_nearest_name():
    with pytest.raises(ValueError, match="did you mean 'small_resnet6'"):
        build("smal_resnet6")


@pytest.mark.parametrize("architecture", OURS)
def test_colours_and_classes_are_taken_over(architecture):
    network = build(architecture, channels=3, classes=4)

    assert network(torch.rand(2, 3, 8, 8)).shape == (2, 4)


@pytest.mark.parametrize("architecture", OURS)
def test_pretrained_weights_are_not_pretended(architecture):
    import timm

    with pytest.raises(ValueError, match="no pretrained weights"):
        timm.create_model(architecture, pretrained=True)


def test_images_are_normalised_inside(linear_network):
    network = linear_network(torch.eye(4))
    network.mean.fill_(0.2)
    network.std.fill_(0.5)
    images = torch.rand(3, 1, 2, 2)

    logits = network(images)

    torch.testing.assert_close(logits, (images.flatten(1) - 0.2) / 0.5)


def test_a_checkpoint_holds_what_is_trained_but_not_the_normalisation():
    assert not {"mean", "std"} & set(build("small_resnet6").state_dict())


@pytest.mark.slow
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("architecture", [*OURS, *FOREIGN])
def test_differentiates_twice(architecture, training):
    side = 32 if architecture in FOREIGN else 8
    network = build(architecture, side).train(training)
    allow_double_backward(network)

    gradients = second_derivative(network, torch.rand(4, 1, side, side), torch.tensor([0, 1, 2, 3]))

    assert any(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients)
    assert all(gradient is None or gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("architecture", ["vit_pico_patch2_8", "mobilenetv3_small_050"])
def test_what_is_replaced_for_it_computes_the_same(architecture):
    side = 32 if architecture in FOREIGN else 8
    network, images = build(architecture, side).eval(), torch.rand(2, 1, side, side)
    before, names = network(images), set(network.state_dict())

    allow_double_backward(network)

    torch.testing.assert_close(network(images), before)
    assert set(network.state_dict()) == names


def test_the_wide_resnet_has_the_size_of_the_paper():
    network = create_network(
        "wide_resnet_16_2", image_shape=(3, 32, 32), num_classes=10, mean=[0.0] * 3, std=[1.0] * 3
    )

    parameters = sum(parameter.numel() for parameter in network.parameters())

    assert parameters == 691_674  # 0.7 million in Zagoruyko & Komodakis, 2016


@pytest.mark.parametrize("depth", [4, 12])
def test_a_wide_resnet_of_a_depth_that_does_not_exist_is_refused(depth):
    from trainables.models.wide_resnet import WideResNet

    with pytest.raises(ValueError, match="6n \\+ 4"):
        WideResNet(depth, 1)


@pytest.mark.parametrize("training", [True, False])
def test_module_mode_restores_every_flag(training):
    network = build("small_resnet6").train()
    network.model.stem[1].eval()  # a frozen BatchNorm
    before = [module.training for module in network.modules()]

    with module_mode(network, training=training):
        inside = {module.training for module in network.modules()}

    assert inside == {training}
    assert [module.training for module in network.modules()] == before


def test_module_mode_restores_after_an_exception():
    network = nn.Sequential(nn.BatchNorm2d(1)).train()

    with pytest.raises(RuntimeError), module_mode(network, training=False):
        raise RuntimeError

    assert network.training
    assert network[0].training


# second derivatives


@pytest.mark.parametrize("architecture", ["small_resnet6", "vit_pico_patch2_8"])
def test_looking_for_second_derivatives_changes_nothing(architecture, network):
    student = network(architecture).train()
    allow_double_backward(student)
    before = {key: value.clone() for key, value in student.state_dict().items()}

    require_double_backward(student, architecture, (1, 8, 8))

    assert all(torch.equal(value, before[key]) for key, value in student.state_dict().items())
    assert all(module.training for module in student.modules())
    assert all(parameter.grad is None for parameter in student.parameters())


def test_a_student_without_second_derivatives_is_refused_before_training(network):
    student = network("vit_pico_patch2_8")  # its fused attention was not replaced

    with pytest.raises(ValueError, match="an operation without a second derivative") as error:
        require_double_backward(student, "vit_pico_patch2_8", (1, 8, 8))

    assert "finite_difference" in str(error.value)
    assert "\n" not in str(error.value)


def test_no_pass_changes_running_statistics_that_are_untracked(network):
    student = network().train()
    before = {key: value.clone() for key, value in student.state_dict().items()}

    with untracked(student):
        student(torch.rand(4, 1, 8, 8))

    assert all(torch.equal(value, before[key]) for key, value in student.state_dict().items())
    assert student.model.stem[1].track_running_stats


def test_the_normalisation_moves_with_the_network_and_is_no_part_of_its_weights(network):
    student = network().double()

    assert student.mean.dtype == student.std.dtype == torch.float64
    assert not {"mean", "std"} & set(student.state_dict())
