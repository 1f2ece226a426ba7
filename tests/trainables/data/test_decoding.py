import numpy as np
import pytest
from PIL import Image

from trainables.data.decoding import decode


def test_an_image_of_the_right_size_is_taken_as_it_is(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png")

    assert np.array_equal(decode(tmp_path / "image.png", 12), pixels.transpose(2, 0, 1))


@pytest.mark.parametrize("size", [(60, 20), (20, 60)], ids=["wide", "high"])
def test_the_middle_of_the_longer_side_is_kept(tmp_path, size):
    image = Image.new("RGB", size, "black")
    image.paste(
        "red",
        tuple(length // 2 - 10 for length in size) + tuple(length // 2 + 10 for length in size),
    )
    image.save(tmp_path / "image.png")

    decoded = decode(tmp_path / "image.png", 10)

    assert decoded.shape == (3, 10, 10)
    assert (decoded[0, 1:-1, 1:-1] == 255).all()
    assert (decoded[1:] == 0).all()


def test_a_large_image_is_smoothed_before_it_is_made_small(tmp_path):
    stripes = np.zeros((64, 64, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    Image.fromarray(stripes).save(tmp_path / "image.png")

    decoded = decode(tmp_path / "image.png", 8)

    assert abs(decoded.astype(int) - 127).max() < 20


@pytest.mark.parametrize("ending", ["JPEG", "png", "bmp", "webp"])
@pytest.mark.parametrize("kept", [0, 30, 300])
def test_an_image_that_is_cut_off_is_refused_by_name(tmp_path, ending, kept):
    path = tmp_path / f"image.{ending}"
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:kept])

    with pytest.raises(ValueError, match=rf"^image .*image\.{ending} cannot be read, as it is"):
        decode(path, 32)


RAMP = np.tile(np.linspace(0, 255, 12).astype(np.uint8), (12, 1))


@pytest.mark.parametrize("ending", ["png", "tif", "pgm"])
def test_sixteen_bits_show_what_eight_bits_show(tmp_path, ending):
    path = tmp_path / f"image.{ending}"
    Image.fromarray(RAMP.astype(np.uint16) * 257).save(path)

    assert np.array_equal(decode(path, 12), np.stack([RAMP] * 3))


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_levels_of_unknown_scale_are_refused(tmp_path, kind):
    Image.fromarray(RAMP.astype(kind)).save(tmp_path / "image.tif")

    with pytest.raises(ValueError, match=r"image.tif cannot be read.*none is known as white"):
        decode(tmp_path / "image.tif", 12)


def test_a_palette_with_transparency_is_decoded_without_a_warning(tmp_path):
    image = Image.fromarray(RAMP).convert("P")
    image.save(tmp_path / "image.png", transparency=bytes(range(256)))

    assert np.array_equal(decode(tmp_path / "image.png", 12), np.stack([RAMP] * 3))


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path):
    path = tmp_path / "large.png"
    Image.new("1", (10_000, 6_000)).save(path)

    with pytest.raises(ValueError, match="it has 60,000,000 pixels, and at most 50,000,000"):
        decode(path, 32)
