"""A file that would execute code is refused by whoever reads it, and executes nothing."""

import os
import pickle

import numpy as np
import pytest
import torch

from trainables.data.cache import _mapped
from trainables.data.config import ExtraConfig
from trainables.data.extra import open_extra
from trainables.data.sources import Levels, Part
from trainables.distillation import Distillation
from trainables.glyphs import store
from trainables.measuring.autoattack_state import Progress
from trainables.models.checkpoint_facts import checkpoint_facts
from trainables.models.checkpoints import load_weights, read_checkpoint
from trainables.teachers.stored import prepared, prepared_network
from tuner.diagnosis.measures import find_student
from tuner.evaluation.target import Foreign, find_target

STATE = ("config", "student", "model", "measured", "flags", "autoattack", "optimizer")


class Malicious:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def as_zip(path, evil):
    torch.save(dict.fromkeys(STATE, evil), path)


def as_legacy(path, evil):
    torch.save(dict.fromkeys(STATE, evil), path, _use_new_zipfile_serialization=False)


def as_bare_pickle(path, evil):
    path.write_bytes(pickle.dumps(dict.fromkeys(STATE, evil)))


def as_old_pickle(path, evil):
    path.write_bytes(pickle.dumps(evil, protocol=0))


WRITERS = [as_zip, as_legacy, as_bare_pickle, as_old_pickle]

READERS = {
    "weights": lambda path, _: read_checkpoint(path),
    "weights into a network": lambda path, network: load_weights(network(), path, "small_resnet6"),
    "a teacher's file": lambda path, _: checkpoint_facts(path),
    "a prepared teacher": lambda path, _: prepared(path, now=False),
    "a prepared teacher's network": lambda path, _: prepared_network(path, None),
    "a student to be evaluated": lambda path, _: find_target(path, Foreign()),
    "a student to be diagnosed": lambda path, _: find_student(path),
    "an interrupted AutoAttack": lambda path, _: Progress(path, "x"),
}


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("reader", READERS)
def test_a_pickle_is_refused_and_not_executed(reader, write, suffix, network, tmp_path):
    path = tmp_path / f"file{suffix}"
    write(path, Malicious(tmp_path / "executed"))

    with pytest.raises(ValueError, match="checkpoint") as error:
        READERS[reader](path, network)

    assert not (tmp_path / "executed").exists()
    assert str(error.value).isprintable()


def test_a_training_state_is_not_continued_from_a_pickle(trial, tmp_path):
    as_zip(tmp_path / "checkpoint.pt", Malicious(tmp_path / "executed"))

    with pytest.raises(ValueError, match="would execute code"):
        Distillation.build(trial()).load_state_dict(read_checkpoint(tmp_path / "checkpoint.pt"))

    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("field", ["images", "labels"])
def test_objects_in_further_images_are_refused(save, field, tmp_path):
    content = {"images": np.zeros((1, 1, 8, 8), np.uint8), "labels": np.zeros(1, int)}
    content[field] = np.array([Malicious(tmp_path / "executed")])
    save(tmp_path / "more.npz", allow_pickle=True, **content)

    with pytest.raises(ValueError, match="Python objects, which are not loaded"):
        open_extra(ExtraConfig(path=tmp_path / "more.npz"), (1, 8, 8), 10)

    assert not (tmp_path / "executed").exists()


def test_objects_in_what_was_decoded_before_are_not_loaded(tmp_path):
    evil = np.array([Malicious(tmp_path / "executed")])
    np.save(tmp_path / "decoded.npy", evil, allow_pickle=True)
    part = Part.whole(Levels(np.zeros((1, 1, 8, 8), np.uint8), np.zeros(1, np.int64)))

    assert _mapped(tmp_path / "decoded.npy", part) is None
    assert not (tmp_path / "executed").exists()


def test_objects_in_drawn_glyphs_are_not_loaded(tmp_path):
    evil = np.array([Malicious(tmp_path / "executed")])
    np.savez(tmp_path / "glyphs.npz", images=evil, labels=evil, allow_pickle=True)

    assert store._read(tmp_path / "glyphs.npz", 1) is None
    assert not (tmp_path / "executed").exists()
