"""Files of ``torch.save`` looked at from outside, before anything in them is read."""

import zipfile
from pathlib import Path
from typing import IO

from trainables.models.pickle_shape import refuse_growing

ZIP, PICKLE = b"PK\x03\x04", b"\x80"
"""How today's files and those of before 2020 begin."""

LEGACY_PICKLES = 5
"""Before the numbers of an old file: magic number, version, machine, content, names of storages."""


def refuse_hostile(path: Path) -> None:
    """See that a file is a container of weights which is no larger than it looks.

    Raises:
        ValueError: if it is not; with a clause that says so.
        Exception: of other kinds, if it is damaged.
    """
    with path.open("rb") as file:
        begins = file.read(len(ZIP))
        file.seek(0)
        if begins == ZIP:
            _look_into_archive(file, path.stat().st_size)
        elif begins.startswith(PICKLE):
            for _ in range(LEGACY_PICKLES):
                if file.peek(1):
                    refuse_growing(file)
        else:
            raise ValueError("it begins as no file of torch.save does")


def _look_into_archive(file: IO[bytes], size: int) -> None:
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if any(member.filename.endswith("constants.pkl") for member in members):
            raise ValueError("it is a program of TorchScript")
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("it was compressed after it was written")
        if sum(member.file_size for member in members) > size:
            raise ValueError("it promises more than it holds")
        for member in members:
            if member.filename.endswith(".pkl"):
                with archive.open(member) as opened:
                    refuse_growing(opened)
