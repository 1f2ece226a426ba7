import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.threat import PIXEL, ThreatModel, per_sample_norm

NORMS = ["linf", "l2"]


def distance(norm, images, origin):
    return per_sample_norm(images - origin) if norm == "l2" else (images - origin).abs()


@settings(max_examples=60, deadline=None)
@given(
    norm=st.sampled_from(NORMS),
    epsilon=st.floats(1e-4, 1),
    size=st.integers(1, 4),
    spread=st.floats(0, 10),
    seed=st.integers(0, 10_000),
)
def test_projects_into_the_ball_and_into_the_unit_cube(norm, epsilon, size, spread, seed):
    generator = torch.Generator().manual_seed(seed)
    origin = torch.rand(size, 2, size, size, generator=generator)
    images = origin + spread * torch.randn(origin.shape, generator=generator)

    projected = ThreatModel(norm=norm, epsilon=epsilon).project(images, origin)

    assert distance(norm, projected, origin).max() <= epsilon + 1e-6
    assert projected.min() >= 0
    assert projected.max() <= 1


@settings(max_examples=60, deadline=None)
@given(norm=st.sampled_from(NORMS), epsilon=st.floats(1e-4, 1), seed=st.integers(0, 10_000))
def test_starts_inside_the_ball_and_the_unit_cube(norm, epsilon, seed):
    generator = torch.Generator().manual_seed(seed)
    origin = torch.rand(3, 1, 4, 4, generator=generator)

    start = ThreatModel(norm=norm, epsilon=epsilon).random_start(origin, generator)

    assert distance(norm, start, origin).max() <= epsilon + 1e-6
    assert start.min() >= 0
    assert start.max() <= 1


@pytest.mark.parametrize("norm", NORMS)
def test_leaves_a_point_inside_alone(norm):
    origin = torch.full((2, 1, 2, 2), 0.5)
    inside = origin + 0.01

    projected = ThreatModel(norm=norm, epsilon=0.1).project(inside, origin)

    torch.testing.assert_close(projected, inside, rtol=0, atol=1e-7)


def test_l2_projection_is_the_nearest_point_of_the_sphere():
    origin = torch.full((1, 1, 1, 2), 0.5)
    outside = origin + torch.tensor([0.3, 0.4])

    projected = ThreatModel(norm="l2", epsilon=0.05).project(outside, origin)

    torch.testing.assert_close(projected, origin + torch.tensor([0.03, 0.04]))


def test_linf_start_is_uniform_per_pixel():
    origin = torch.full((20_000, 1, 1, 1), 0.5)

    start = ThreatModel(epsilon=0.1).random_start(origin, torch.Generator().manual_seed(0))

    offset = (start - origin) / 0.1
    torch.testing.assert_close(offset.mean(), torch.tensor(0.0), rtol=0, atol=0.02)
    torch.testing.assert_close(offset.var(), torch.tensor(1 / 3), rtol=0, atol=0.01)


def test_l2_start_is_uniform_in_the_ball():
    origin = torch.full((20_000, 1, 1, 2), 0.5)

    start = ThreatModel(norm="l2", epsilon=0.1).random_start(origin, torch.Generator())

    inside_half_the_radius = (per_sample_norm(start - origin) < 0.05).float().mean()
    torch.testing.assert_close(inside_half_the_radius, torch.tensor(0.25), rtol=0, atol=0.02)


@pytest.mark.parametrize("magnitude", [1e-30, 1.0, 1e30])
def test_steepest_direction_has_unit_norm_whatever_the_size_of_the_gradient(magnitude):
    gradient = magnitude * torch.tensor([[[[3.0, -4.0]]]])

    linf, l2 = (ThreatModel(norm=norm).steepest(gradient) for norm in NORMS)

    torch.testing.assert_close(linf, torch.tensor([[[[1.0, -1.0]]]]))
    torch.testing.assert_close(l2, torch.tensor([[[[0.6, -0.8]]]]))


@pytest.mark.parametrize("norm", NORMS)
def test_zero_gradient_gives_no_direction(norm):
    direction = ThreatModel(norm=norm).steepest(torch.zeros(2, 1, 2, 2))

    assert torch.equal(direction, torch.zeros(2, 1, 2, 2))


def test_default_is_eight_grey_levels():
    assert ThreatModel().epsilon == 8 * PIXEL == 8 / 255
