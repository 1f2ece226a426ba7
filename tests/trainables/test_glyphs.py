import numpy as np
import pytest
import torch

from trainables.data import DataConfig, load_data
from trainables.glyphs import generate, stored
from trainables.glyphs.dataset import CHUNK, parts
from trainables.glyphs.outlines import DIRECTIONS, OUTLINES, RADII, coverage, wobble
from trainables.glyphs.scene import draw
from trainables.glyphs.strokes import MARKS, depth
from trainables.glyphs.surfaces import contrasting

FINE = np.linspace(-2, 2, 201, dtype=np.float32)
"""Coordinates at a distance of 0.02."""


def plane(count):
    """Coordinates ``x, y`` of a fine grid, and the width of its pixels, for ``count`` images."""
    shape = (count, len(FINE), len(FINE))
    pixel = np.full((count, 1, 1), 0.02, dtype=np.float32)
    return np.broadcast_to(FINE, shape), np.broadcast_to(FINE[:, None], shape), pixel


def scene(outline, mark):
    """The same scene whatever the class."""
    return draw(np.array([outline]), np.array([mark]), np.random.default_rng(0))[0]


def flat_set(images):
    return {image.tobytes() for image in images}


def test_every_outline_covers_the_area_of_a_disc_of_radius_eight_tenths():
    areas = coverage(RADII, *plane(len(OUTLINES))).sum(axis=(1, 2)) * 0.02**2

    assert areas == pytest.approx(np.full(len(OUTLINES), np.pi * 0.64), rel=0.01)


def test_the_square_has_the_radius_of_a_square():
    radius = RADII[OUTLINES.index("square")]

    half_side = np.sqrt(np.pi * 0.64) / 2
    expected = half_side / np.maximum(abs(np.cos(DIRECTIONS)), abs(np.sin(DIRECTIONS)))
    assert radius == pytest.approx(expected, rel=1e-3)


def test_the_edge_of_a_disc_is_one_pixel_wide():
    x, y, pixel = plane(1)

    covered = coverage(RADII[:1], x, y, pixel)

    expected = np.clip(0.5 + (0.8 - np.hypot(x, y)) / 0.02, 0, 1)
    assert covered == pytest.approx(expected, abs=1e-3)


def test_an_edge_that_the_ray_meets_at_a_slant_is_one_pixel_wide_too():
    x, y, pixel = plane(1)
    half_side = np.sqrt(np.pi * 0.64) / 2

    covered = coverage(RADII[[OUTLINES.index("square")]], x, y, 5 * pixel)

    expected = np.clip(0.5 + (half_side - abs(x)) / 0.1, 0, 1)
    beside_the_right_edge = (x > 0) & (abs(y) < 0.6)
    assert covered[beside_the_right_edge] == pytest.approx(
        expected[beside_the_right_edge], abs=0.03
    )


def test_triangles_stand_on_their_base():
    x, y, pixel = plane(1)

    covered = coverage(RADII[[OUTLINES.index("triangle")]], x, y, pixel)

    assert covered[y > 0.7].any()
    assert not covered[(y > 0.7) & (abs(x) > 0.3)].any()
    assert not covered[y < -0.7].any()


def test_a_wave_deforms_the_outline_as_its_formula_says():
    amplitudes = np.array([[0.0, 0.1]], dtype=np.float32)
    phases = np.array([[0.0, 0.5]], dtype=np.float32)

    deformed = wobble(RADII[:1], amplitudes, phases)

    assert deformed[0] == pytest.approx(0.8 * (1 + 0.1 * np.cos(3 * DIRECTIONS + 0.5)), rel=1e-5)


def test_the_depth_in_a_stroke_is_its_radius_less_the_distance_to_the_segment():
    stroke = np.array([[-1, 0, 1, 0, 0.5]], dtype=np.float32)
    x = np.array([[[0.0, 0.3, 2.0, -1.0]]], dtype=np.float32)
    y = np.array([[[0.0, 0.2, 0.0, -2.0]]], dtype=np.float32)

    assert depth(stroke, x, y)[0, 0] == pytest.approx([0.5, 0.3, -0.5, -1.5])


def test_figures_stand_out_from_their_ground_by_what_is_asked():
    random = np.random.default_rng(0)
    ground = random.uniform(0.3, 0.7, (1000, 3)).astype(np.float32)

    figure = contrasting(ground, random, 0.1, 0.2)

    unclipped = ((figure > 0) & (figure < 1)).all(axis=1)
    contrast = abs(figure - ground).mean(axis=1), abs((figure - ground).mean(axis=1))
    assert unclipped.mean() > 0.9
    assert contrast[1][unclipped].min() >= 0.1 - 1e-5
    assert contrast[1][unclipped].max() <= 0.2 + 1e-5


def test_images_are_bytes_in_colour_and_use_the_range():
    images, labels = generate(50, 10, 0)

    assert images.shape == (50, 3, 32, 32)
    assert images.dtype == np.uint8
    assert labels.dtype == np.int64
    assert images.min() < 10
    assert images.max() > 245


def test_the_same_seed_draws_the_same_images_and_another_seed_others():
    images, labels = generate(100, 10, 3)
    again, same_labels = generate(100, 10, 3)
    other, _ = generate(100, 10, 4)

    assert np.array_equal(again, images)
    assert np.array_equal(same_labels, labels)
    assert flat_set(other).isdisjoint(flat_set(images))


@pytest.mark.slow
@pytest.mark.parametrize("count", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1])
def test_fewer_images_are_the_first_of_more(count):
    images, labels = generate(count, 7, 0)
    more_images, more_labels = generate(2 * CHUNK + 1, 7, 0)

    assert np.array_equal(images, more_images[:count])
    assert np.array_equal(labels, more_labels[:count])


@pytest.mark.parametrize("classes", [2, 7, 10, 100])
def test_every_class_has_as_many_images_as_any_other(classes):
    _, labels = generate(300, classes, 0)

    counts = np.bincount(labels, minlength=classes)
    assert counts.max() - counts.min() <= 1
    assert len(counts) == classes


def test_no_image_is_drawn_twice():
    images, _ = generate(500, 10, 0)

    assert len(flat_set(images)) == 500


@pytest.mark.parametrize("classes", [1, 101, -3])
def test_other_numbers_of_classes_are_refused(classes):
    with pytest.raises(ValueError, match=f"glyphs have from 2 to 100 classes, got {classes}"):
        generate(1, classes, 0)


def test_a_hundred_classes_are_all_pairs_of_outline_and_mark():
    outlines, marks = parts(np.arange(100), 100, np.random.default_rng(0))

    assert set(zip(outlines.tolist(), marks.tolist(), strict=True)) == {
        (outline, mark) for outline in range(len(OUTLINES)) for mark in range(len(MARKS))
    }


def test_ten_classes_are_the_outlines_with_any_mark_inside():
    labels = np.arange(5000) % 10

    outlines, marks = parts(labels, 10, np.random.default_rng(0))

    table = np.zeros((10, 10))
    np.add.at(table, (labels, marks), 1)
    assert np.array_equal(outlines, labels)
    assert table.min() > 25  # 50 expected


def test_all_hundred_classes_look_different_in_the_same_scene():
    pictures = np.stack(
        [scene(outline, mark) for outline in range(len(OUTLINES)) for mark in range(len(MARKS))]
    ).reshape(100, -1)

    distances = abs(pictures[:, None] - pictures[None]).max(axis=2)
    assert distances[~np.eye(100, dtype=bool)].min() > 16 / 255


def test_the_class_moves_no_pixel_far_from_the_shape():
    corners = (slice(None), [0, 0, -1, -1], [0, -1, 0, -1])

    pictures = [scene(outline, mark)[corners] for outline in (0, 3, 9) for mark in (0, 2, 7)]

    assert all(np.array_equal(picture, pictures[0]) for picture in pictures)


def test_the_mean_colour_tells_nothing_about_the_class():
    images, labels = generate(1500, 10, 0)
    colours = images.mean(axis=(2, 3))

    means = np.stack([colours[labels == label].mean(axis=0) for label in range(10)])

    standard_error = colours.std(axis=0) / np.sqrt(150)
    assert (abs(means - colours.mean(axis=0)) / standard_error).max() < 4


def test_the_splits_share_no_image_and_keep_the_shares_of_the_whole(tmp_path):
    data = load_data(DataConfig(name="glyphs", images=600, root=tmp_path), torch.device("cpu"))

    train, validation, test = (
        flat_set(split.images.numpy()) for split in (data.train, data.validation, data.test)
    )
    assert [len(train), len(validation), len(test)] == [450, 50, 100]
    assert len(train | validation | test) == 600
    assert data.train.labels.bincount().tolist() == [45] * 10
    assert data.validation.labels.bincount().tolist() == [5] * 10


def test_all_of_it_is_fifty_thousand_for_training_and_validation_and_ten_thousand_for_test():
    config = DataConfig(name="glyphs", classes=100)

    assert config.num_images == 60_000
    assert config.num_images // 6 == 10_000


def test_the_split_seed_moves_images_between_training_and_validation_only(tmp_path):
    first, second = (
        load_data(
            DataConfig(name="glyphs", images=600, root=tmp_path, split_seed=seed),
            torch.device("cpu"),
        )
        for seed in (0, 1)
    )

    assert torch.equal(first.test.images, second.test.images)
    assert not torch.equal(first.validation.images, second.validation.images)


def test_grey_levels_become_floats_exactly(tmp_path):
    data = load_data(DataConfig(name="glyphs", images=200, root=tmp_path), torch.device("cpu"))
    levels, _ = stored(33, 10, seed=1, root=tmp_path)

    expected = torch.from_numpy(levels.astype(np.float64) / 255).float()
    assert torch.equal(data.test.images, expected)
