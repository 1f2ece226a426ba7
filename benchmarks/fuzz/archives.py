"""Zip archives that lie about their members; what is inside may be damaged in its own way."""

import io
import struct
import zipfile
from collections.abc import Callable, Mapping
from functools import lru_cache
from random import Random

from benchmarks.fuzz import octets

NAMES = (
    "../../../../tmp/fuzzed",
    "/tmp/fuzzed",
    "..\\..\\fuzzed",
    "C:\\fuzzed",
    "constants.pkl",
    "archive/constants.pkl",
    "archive/code/__torch__.py",
    "data.pkl",
    "archive/data/0",
    "archive/byteorder",
    "archive/version",
    "x" * 60_000,
    "",
    "a\0b",
    "é",
)

Damage = Callable[[bytes, Random], bytes]
ENTRY = struct.Struct("<4s6H3I5H2I")
"""Of the central directory, without the name."""


@lru_cache(maxsize=64)
def members_of(content: bytes) -> Mapping[str, bytes]:
    """Content of the members by name."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(members: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=compression)
    return file.getvalue()


def mutated(content: bytes, rng: Random, inside: Mapping[str, Damage]) -> bytes:
    """An archive with something wrong.

    Args:
        content: a valid archive.
        rng: chooses.
        inside: by the end of a member's name, how it is damaged so that it stays readable.
    """
    kind = rng.randrange(10)
    if kind < 5:
        return _inside(content, rng, inside)
    if kind == 5:
        return _renamed(content, rng)
    if kind == 6:
        return _bomb(content, rng)
    if kind == 7:
        return _lying(content, rng)
    return octets.mutated(content, rng)


def _inside(content: bytes, rng: Random, inside: Mapping[str, Damage]) -> bytes:
    members = dict(members_of(content))
    ends = [end for end in inside if any(name.endswith(end) for name in members)]
    wanted = rng.choice(ends)
    name = rng.choice([name for name in members if name.endswith(wanted)])
    members[name] = inside[wanted](members[name], rng)
    if rng.random() < 0.15:
        other = rng.choice(list(members))
        members[other] = octets.mutated(members[other], rng)
    return packed(members)


def _renamed(content: bytes, rng: Random) -> bytes:
    members = dict(members_of(content))
    name = rng.choice(list(members))
    new = rng.choice((*NAMES, name.replace("/", "/../"), name.replace("archive", "..")))
    if rng.random() < 0.5:
        members[new] = members[name]
    else:
        members[new] = members.pop(name)
    if rng.random() < 0.2:
        members.pop(rng.choice(list(members)))
    return packed(members)


def _bomb(content: bytes, rng: Random) -> bytes:
    """Members that are compressed; one of them to a thousandth."""
    members = dict(members_of(content))
    name = rng.choice(list(members))
    if rng.random() < 0.7:
        members[name] = members[name] + bytes(rng.choice((10**4, 10**6, 3 * 10**7)))
    kind = rng.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    return packed(members, kind)


def _lying(content: bytes, rng: Random) -> bytes:
    """A directory that says other sizes, places, flags or methods than are so."""
    data = bytearray(packed(members_of(content)))
    places = [place for place in range(len(data) - 4) if data[place : place + 4] == b"PK\x01\x02"]
    place = rng.choice(places)
    fields = list(ENTRY.unpack_from(data, place))
    field = rng.choice((3, 4, 7, 8, 8, 9, 9, 10, 11, 12, 16, 16))
    limit = 0xFFFFFFFF if field in {7, 8, 9, 15, 16} else 0xFFFF
    fields[field] = rng.choice((0, 1, 8, limit, limit // 2, rng.randint(0, limit)))
    ENTRY.pack_into(data, place, *fields)
    return bytes(data)
