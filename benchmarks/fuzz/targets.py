"""What is read: a kind of file, how hostile ones are made, and the product's own reader."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple

from benchmarks.fuzz import archives, arrays, octets, pickles, readers, seeds, tables, texts


class Target(NamedTuple):
    """A kind of file."""

    file: str
    """Its name in the sandbox."""
    make: Callable[[Random], bytes]
    valid: Callable[[], bytes]
    read: Callable[[Path], object]
    weight: int = 2
    """Share of the inputs."""
    after: Callable[[Path], object] | None = None
    """Reads a valid file after a refusal, as a refused one may leave traces."""


PICKLED = {".pkl": pickles.mutated}
NUMPY = {"images.npy": arrays.numpy_header, "labels.npy": arrays.numpy_header}
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
KEYS_OF_STUDY = ("name", "base", "teachers", "search_space", "fixed", "ranges", "storage")
KEYS_OF_TRIAL = ("data", "student", "teacher", "method", "path", "checkpoint", "root")


def _zip_weights(rng: Random, *, whole: bool) -> bytes:
    return archives.mutated(seeds.torch_file(zipped=True, whole=whole), rng, PICKLED)


def _legacy_weights(rng: Random) -> bytes:
    """Three short pickles, then that of the weights, then a list, then the numbers."""
    content = seeds.torch_file(zipped=False, whole=rng.random() < 0.3)
    if rng.random() < 0.4:
        return octets.mutated(content, rng)
    cut = 0
    for _ in range(rng.choice((0, 1, 2, 3, 3, 3, 3, 4))):
        cut = content.index(b".\x80\x02", cut) + 1
    return content[:cut] + pickles.mutated(content[cut:], rng)


def _npz(rng: Random) -> bytes:
    return archives.mutated(seeds.arrays(compressed=rng.random() < 0.4), rng, NUMPY)


def _picture(rng: Random) -> bytes:
    return octets.mutated(seeds.picture(rng.choice(FORMATS)), rng)


def _settings(content: Callable[[], object], keys: tuple[str, ...], rng: Random) -> bytes:
    return texts.as_text(content(), rng, keys)


def _json(content: Callable[[], object], rng: Random) -> bytes:
    return tables.json_text(content(), rng)


def _yaml(content: Callable[[], object]) -> Callable[[], bytes]:
    return lambda: texts.plain(content())


TARGETS = {
    "study file": Target(
        "study.yaml",
        partial(_settings, seeds.study, KEYS_OF_STUDY),
        _yaml(seeds.study),
        readers.study,
        weight=10,
    ),
    "trial file": Target(
        "trial.yaml",
        partial(_settings, seeds.trial, KEYS_OF_TRIAL),
        _yaml(seeds.trial),
        readers.trial,
        weight=8,
    ),
    "weights, zip": Target(
        "weights.pt",
        partial(_zip_weights, whole=False),
        lambda: seeds.torch_file(zipped=True, whole=False),
        readers.weights,
        weight=8,
        after=readers.content,
    ),
    "weights, legacy": Target(
        "weights.pth",
        _legacy_weights,
        lambda: seeds.torch_file(zipped=False, whole=False),
        readers.weights,
        weight=6,
        after=readers.content,
    ),
    "a bare pickle": Target(
        "weights.pt",
        pickles.alone,
        lambda: seeds.torch_file(zipped=True, whole=False),
        readers.weights,
        weight=6,
        after=readers.content,
    ),
    "training state": Target(
        "checkpoint.pt",
        partial(_zip_weights, whole=True),
        lambda: seeds.torch_file(zipped=True, whole=True),
        readers.training_state,
        weight=3,
        after=readers.content,
    ),
    "student.safetensors": Target(
        "student.safetensors",
        lambda rng: arrays.safetensors_header(seeds.student(), rng),
        seeds.student,
        readers.student,
        weight=9,
    ),
    "prepared teacher": Target(
        "teacher.safetensors",
        lambda rng: arrays.safetensors_header(seeds.teacher(), rng),
        seeds.teacher,
        readers.teacher,
        weight=10,
    ),
    "further images (npz)": Target(
        "more.npz", _npz, lambda: seeds.arrays(compressed=False), readers.further_images, weight=12
    ),
    "image file": Target(
        "image.png", _picture, lambda: seeds.picture("PNG"), readers.image, weight=14
    ),
    "verification.json": Target(
        "verification.json",
        partial(_json, seeds.verification),
        lambda: seeds.as_json(seeds.verification()),
        readers.verification,
        weight=12,
    ),
}
