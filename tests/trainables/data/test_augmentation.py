import pytest
import torch

from trainables.data import DataConfig, augment, random_crop
from trainables.data.augmentation import GREY, color_jitter, cutout, resized_crop


def test_a_random_crop_is_a_window_of_the_padded_image_and_every_window_is_as_likely():
    padding, count = 1, 9_000
    image = torch.arange(1.0, 13.0).view(1, 3, 4)
    padded = torch.nn.functional.pad(image, [padding] * 4)
    windows = [padded[:, top : top + 3, left : left + 4] for top in range(3) for left in range(3)]

    crops = random_crop(image.expand(count, 1, 3, 4), padding, torch.Generator().manual_seed(0))

    hits = torch.stack([(crops == window).flatten(1).all(dim=1) for window in windows]).sum(dim=1)
    assert hits.sum() == count
    assert (hits - 1000).abs().max() < 5 * 1000**0.5


def test_all_channels_of_an_image_are_cropped_alike():
    images = torch.rand(20, 1, 5, 5).expand(20, 3, 5, 5)

    crops = random_crop(images, 2, torch.Generator())

    assert torch.equal(crops[:, 0], crops[:, 2])


def test_half_of_the_images_are_mirrored():
    images = torch.arange(2.0).view(1, 1, 1, 2).expand(2_000, 1, 1, 2)

    flipped = augment(images, DataConfig(flip=True), torch.Generator().manual_seed(0))

    mirrored = flipped[:, 0, 0, 0] == 1
    assert 900 < mirrored.sum() < 1100
    assert torch.equal(flipped.sum(dim=3), torch.ones(2_000, 1, 1))


def test_augmentation_is_off_by_default():
    images = torch.rand(4, 1, 8, 8)

    assert torch.equal(augment(images, DataConfig(), torch.Generator()), images)


def test_an_enlarged_window_lies_in_the_image_and_has_its_area_and_ratio():
    places = (torch.arange(64) + 0.5) / 64
    ramps = torch.stack([places.expand(64, 64), places.view(64, 1).expand(64, 64)])

    crops = resized_crop(ramps.expand(3_000, 2, 64, 64), 0.25, torch.Generator().manual_seed(0))

    # a window of a ramp is a ramp: its slope is the window's length, its middle the window's
    across, down = crops[:, 0, 0], crops[:, 1, :, 0]
    width, height = ((ramp[:, 50] - ramp[:, 13]) / 37 * 64 for ramp in (across, down))
    middle = (across[:, 31] + across[:, 32]) / 2
    torch.testing.assert_close(crops[:, 0], across[:, None].expand(-1, 64, -1))
    assert (width * height).min() > 0.25 * 0.97
    assert 0.25 < (width * height).quantile(0.02) < 0.28
    assert (width * height).quantile(0.98) > 0.9
    assert (width / height).min() > 0.75 - 1e-3
    assert (width / height).max() < 4 / 3 + 1e-3
    assert (middle - width / 2).min() > -1e-4
    assert (middle + width / 2).max() < 1 + 1e-4
    assert abs(middle.mean() - 0.5) < 0.01


def test_a_window_of_nearly_everything_is_nearly_the_image():
    images = torch.full((5, 3, 8, 8), 0.3)

    crops = resized_crop(images, 0.999, torch.Generator())

    torch.testing.assert_close(crops, images)


COLOURED = torch.tensor([0.2, 0.4, 0.6]).view(1, 3, 1, 1).expand(2_000, 3, 2, 2)


def test_brightness_and_saturation_of_every_image_have_a_factor_of_their_own():
    jittered = color_jitter(COLOURED, 0.3, torch.Generator().manual_seed(0))

    # even colour: contrast, too, only moves the channels towards or away from their grey
    grey = torch.tensor([0.2989, 0.587, 0.114])
    brightness = (jittered[:, :, 0, 0] @ grey) / (COLOURED[0, :, 0, 0] @ grey)
    spread = (jittered[:, 2] - jittered[:, 0])[:, 0, 0] / brightness / 0.4
    assert (brightness - 1).abs().max() < 0.3 + 1e-3
    assert abs(brightness.mean() - 1) < 0.02
    assert brightness.std() == pytest.approx(0.3 / 3**0.5, rel=0.05)
    assert 0.7**2 - 1e-3 < spread.min() < 0.6
    assert 1.5 < spread.max() < 1.3**2 + 1e-3
    assert abs(torch.corrcoef(torch.stack([brightness, spread]))[0, 1]) < 0.1


def test_contrast_moves_the_pixels_of_a_grey_image_away_from_their_mean():
    images = torch.tensor([0.4, 0.6]).view(1, 1, 1, 2).expand(2_000, 1, 1, 2)

    jittered = color_jitter(images, 0.5, torch.Generator().manual_seed(0))

    mean = jittered.mean(dim=(1, 2, 3))
    contrast = (jittered[:, 0, 0, 1] - jittered[:, 0, 0, 0]) / 0.2 / (mean / 0.5)
    assert 0.5 - 1e-4 < contrast.min() < 0.52
    assert 1.48 < contrast.max() < 1.5 + 1e-4


@pytest.mark.parametrize("channels", [1, 3])
def test_images_with_other_colours_stay_in_the_unit_cube(channels):
    images = torch.rand(200, channels, 4, 4)

    jittered = color_jitter(images, 1.0, torch.Generator().manual_seed(0))

    assert jittered.shape == images.shape
    assert jittered.min() >= 0
    assert jittered.max() <= 1


def test_a_square_is_cut_out_around_every_pixel_as_often():
    images = torch.zeros(9_000, 2, 3, 3)

    cut = cutout(images, 1, torch.Generator().manual_seed(0))

    holes = (cut == GREY).sum(dim=0)
    assert torch.equal(holes[0], holes[1])
    assert holes[0].sum() == 9_000
    assert (holes[0] - 1_000).abs().max() < 5 * 1_000**0.5


def test_a_cut_out_square_has_its_side_and_may_lie_partly_outside():
    cut = cutout(torch.zeros(500, 1, 9, 9), 4, torch.Generator().manual_seed(0))

    rows, columns = ((cut[:, 0] == GREY).any(dim=dim).sum(dim=1) for dim in (2, 1))
    assert set(rows.tolist()) == set(columns.tolist()) == {2, 3, 4}
    assert torch.equal((cut == GREY).sum(dim=(1, 2, 3)), rows * columns)


def test_what_is_off_draws_no_random_numbers():
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()

    augment(torch.rand(4, 3, 8, 8), DataConfig(), generator)

    assert torch.equal(generator.get_state(), before)
