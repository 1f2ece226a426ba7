import io
import zipfile

import pytest
import torch

from trainables.models.checkpoints import read_checkpoint
from trainables.models.plain_content import refuse_odd


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(1).expand(10**12),
        torch.zeros(0, 2**40),
        torch.zeros(2, 2).to_sparse(),
        torch.zeros(2, device="meta"),
        torch.zeros(2, dtype=torch.complex64),
    ],
    ids=["repeated", "empty and wide", "sparse", "meta", "complex"],
)
def test_a_tensor_that_is_not_what_it_seems_is_refused(tensor):
    with pytest.raises(ValueError, match="a tensor in it"):
        refuse_odd({"a": [tensor]})


def test_a_tensor_that_promises_a_terabyte_is_refused_in_a_file(tmp_path):
    torch.save({"weight": torch.zeros(1).expand(10**12)}, tmp_path / "file.pt")

    with pytest.raises(ValueError, match=r"seems to have the shape \[1000000000000\]"):
        read_checkpoint(tmp_path / "file.pt")


def test_attributes_that_a_file_hangs_on_a_tensor_are_taken_off():
    tensor = torch.zeros(2)
    tensor.isfinite = "mine"

    refuse_odd([tensor])

    assert tensor.isfinite().all()


def test_content_nested_without_end_is_refused():
    content = []
    for _ in range(100):
        content = [content]

    with pytest.raises(ValueError, match="more than weights"):
        refuse_odd(content)


def test_an_archive_that_was_compressed_is_refused(tmp_path):
    torch.save({"weight": torch.zeros(10**6)}, tmp_path / "file.pt")
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(tmp_path / "file.pt") as whole,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as small,
    ):
        for name in whole.namelist():
            small.writestr(name, whole.read(name))
    (tmp_path / "file.pt").write_bytes(packed.getvalue())

    with pytest.raises(ValueError, match="it was compressed after it was written"):
        read_checkpoint(tmp_path / "file.pt")


def test_a_refused_file_is_not_held_against_the_next_one(tmp_path):
    sparse = torch.sparse_coo_tensor([[0]], [1.0], (1,), check_invariants=False)
    torch.save({"a": sparse, "b": sparse}, tmp_path / "bad.pt")
    content = bytearray((tmp_path / "bad.pt").read_bytes())
    place = content.index(b"u.", content.index(b"_rebuild_sparse_tensor"))
    content[place] = ord("?")
    (tmp_path / "bad.pt").write_bytes(bytes(content))
    torch.save({"a": torch.zeros(1)}, tmp_path / "good.pt")
    with pytest.raises(ValueError, match="checkpoint"):
        read_checkpoint(tmp_path / "bad.pt")

    read_checkpoint(tmp_path / "good.pt")

    assert torch._utils._get_sparse_tensors_to_validate() == []
