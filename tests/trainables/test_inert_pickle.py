import argparse
import builtins
import functools
import operator
import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn
from torch.serialization import MAGIC_NUMBER, PROTOCOL_VERSION

from trainables.models.checkpoints import read_checkpoint
from trainables.models.inert_pickle import Inert, read_inert


class Calls:
    """A pickle that calls ``function(*arguments)`` when it is read as usual."""

    def __init__(self, function, *arguments, state=None):
        self.parts = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self):
        return self.parts


class Restores:
    """Makes a folder when its state is restored."""

    def __init__(self, folder):
        self.folder = folder

    def __getstate__(self):
        return {"folder": str(self.folder)}

    def __setstate__(self, state):
        os.mkdir(state["folder"])  # noqa: PTH102


class Options(dict):
    """A dictionary of a class of one's own, as configuration libraries have them."""


ATTACKS = {
    "a function": lambda folder: Calls(os.mkdir, str(folder)),
    "eval": lambda folder: Calls(builtins.eval, f"__import__('os').mkdir({str(folder)!r})"),
    "an argument that calls": lambda folder: Calls(list, [Calls(os.mkdir, str(folder))]),
    "a call of what was called": lambda folder: Calls(
        operator.call, Calls(functools.partial, os.mkdir, str(folder))
    ),
    "a state that is restored": Restores,
    "a state for what was called": lambda folder: Calls(
        Restores, str(folder), state={"folder": str(folder)}
    ),
}


@pytest.fixture(params=[True, False], ids=["zip", "legacy"])
def write(request, tmp_path):
    """``write(content)``: a file of ``torch.save``, in the format of today or of 2019."""

    def create(content):
        path = tmp_path / "file.pt"
        torch.save(content, path, _use_new_zipfile_serialization=request.param)
        return path

    return create


@pytest.fixture
def weights():
    weights = OrderedDict(a=torch.randn(2, 3), b=nn.Parameter(torch.randn(4)))
    weights["view"] = weights["a"].T
    return weights


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_runs_and_the_tensors_are_read_all_the_same(attack, write, weights, tmp_path):
    path = write({"state_dict": weights, "extra": ATTACKS[attack](tmp_path / "executed")})

    content = read_checkpoint(path)

    assert not (tmp_path / "executed").exists()
    assert content.keys() == {"state_dict"}
    torch.testing.assert_close(content["state_dict"], weights, rtol=0, atol=0, check_device=True)


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_attacks_would_work_on_a_careless_reader(attack, write, tmp_path):
    path = write({"extra": ATTACKS[attack](tmp_path / "executed")})

    torch.load(path, weights_only=False)

    assert (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    "foreign",
    [
        np.float64(0.53),
        argparse.Namespace(depth=34, lr=0.1),
        Options(epsilon=8 / 255),
        [1, nn.ReLU(), 2],
        {"nested": {"deep": np.arange(3)}, 7: Restores},
    ],
    ids=["NumPy number", "argparse", "own dictionary", "list", "nested"],
)
def test_what_lies_beside_the_weights_does_no_harm(foreign, write, weights):
    path = write({"net": weights, "foreign": foreign, "epoch": 76})

    content = read_checkpoint(path)

    assert content["epoch"] == 76
    torch.testing.assert_close(content["net"], weights, rtol=0, atol=0)


def test_it_is_told_what_was_not_executed(write, weights):
    path = write({"net": weights, "accuracy": np.float64(0.5), "options": argparse.Namespace()})

    foreign = read_inert(path).foreign

    assert "argparse.Namespace" in foreign
    assert any(name.endswith("multiarray.scalar") for name in foreign)


@pytest.mark.parametrize(
    "content",
    [nn.Linear(2, 2), {"model": nn.Linear(2, 2)}, {"weights": {"a": np.zeros(3)}}],
    ids=["module", "module inside", "NumPy"],
)
def test_weights_that_only_code_could_restore_are_refused(write, content):
    with pytest.raises(ValueError, match=r"unless it would execute code on loading \(.+\)"):
        read_checkpoint(write(content))


def test_a_pickle_cannot_change_the_functions_that_it_may_call(tmp_path):
    harmful = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}X\x01\x00\x00\x00aK\x01sb."
    parts = [MAGIC_NUMBER, PROTOCOL_VERSION, {"little_endian": True}]
    header = b"".join(pickle.dumps(part, protocol=2) for part in parts)
    (tmp_path / "file.pt").write_bytes(header + harmful + pickle.dumps([], protocol=2))

    with pytest.raises(pickle.UnpicklingError, match="must not change a function"):
        read_inert(tmp_path / "file.pt")

    assert not hasattr(torch._utils._rebuild_tensor_v2, "a")


@pytest.mark.filterwarnings("ignore:.torch.jit")
def test_a_program_is_refused(tmp_path):
    torch.jit.save(torch.jit.script(nn.ReLU()), tmp_path / "file.pt")

    with pytest.raises(ValueError, match=r"would execute code on loading \(TorchScript\)"):
        read_checkpoint(tmp_path / "file.pt")


def test_the_placeholder_stays_what_it_is():
    Inert["a"] = 1
    Inert.append(1)

    assert Inert(1, b=2) is Inert
    assert Inert.__new__(Inert, 3) is Inert
    assert not hasattr(Inert, "a")
