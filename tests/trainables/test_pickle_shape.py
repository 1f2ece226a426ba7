import io
import pickle

import pytest

from trainables.models.checkpoints import read_checkpoint
from trainables.models.pickle_shape import DEEPEST, refuse_growing

DOUBLED = b"]q\x00" + b"(h\x00h\x00lq\x00" * 60
"""A list that holds the one before twice, sixty times over."""


def nested(depth):
    return b"\x80\x02}" + b")" + b"\x85" * depth + b"Ns."


@pytest.mark.parametrize("content", [{"a": [1, (2, 3)], "b": {"c": {4}}}, [], "text", None])
@pytest.mark.parametrize("protocol", range(6))
def test_what_python_writes_is_accepted_and_read_to_its_end(content, protocol):
    file = io.BytesIO(pickle.dumps(content, protocol) + b"rest")

    refuse_growing(file)

    assert file.read() == b"rest"


def test_a_list_that_stands_in_many_places_is_accepted():
    shared = [1, 2]

    refuse_growing(io.BytesIO(pickle.dumps([shared] * 1000)))


@pytest.mark.parametrize(
    "content",
    [
        nested(DEEPEST + 1),
        b"\x80\x02" + b"]" * (DEEPEST + 1) + b"a" * DEEPEST + b".",
        b"\x80\x02" + DOUBLED + b".",
        b"\x80\x02]" + b"q\x00h\x00\x86" * 60 + b".",
    ],
    ids=["tuples", "lists", "doubled lists", "doubled tuples"],
)
def test_what_grows_without_end_is_refused(content):
    with pytest.raises(ValueError, match="grow beyond reason"):
        refuse_growing(io.BytesIO(content))


def test_what_holds_itself_is_refused():
    itself = []
    itself.append(itself)

    with pytest.raises(ValueError, match="holds itself"):
        refuse_growing(io.BytesIO(pickle.dumps(itself)))


@pytest.mark.parametrize(
    "content", [b"", b"\x80\x02", b"\x80\x020.", b"\x80\x02t.", b"\x80\x02\xff"]
)
def test_what_is_no_pickle_is_refused(content):
    with pytest.raises((ValueError, IndexError)):
        refuse_growing(io.BytesIO(content))


@pytest.mark.slow
@pytest.mark.parametrize("depth", [300_000], ids=["that would crash Python"])
def test_nested_tuples_as_a_key_are_refused_before_they_are_hashed(depth, tmp_path):
    """A dictionary hashes its keys; Python 3.11 overflows its stack at about 200,000 tuples."""
    (tmp_path / "file.pt").write_bytes(nested(depth))

    with pytest.raises(ValueError, match="grow beyond reason"):
        read_checkpoint(tmp_path / "file.pt")
