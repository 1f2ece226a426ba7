"""Headers of NumPy arrays and of safetensors that promise what is not there."""

import json
import struct
from random import Random
from typing import Any

from benchmarks.fuzz import octets
from benchmarks.fuzz.nested import mutated as mutated_settings
from benchmarks.fuzz.pickles import alone

SHAPES = (
    "()",
    "(0,)",
    "(10**12,)",
    "(1000000000000,)",
    "(-1,)",
    "(9223372036854775807, 2)",
    "(2,)*9",
    "(True,)",
    "(1.0,)",
    "((1,),)",
    "'x'",
    "None",
    "(" * 150 + ")" * 150,
)
KINDS = (
    "'|O'",
    "'<u1'",
    "'|u1'",
    "'<f8'",
    "'<M8[s]'",
    "'|V1000000000'",
    "'<U1000000000'",
    "[('a', '|O')]",
    "[('a', '<i4', (1000000, 1000000))]",
    "'object'",
    "1",
    "None",
    "'x'",
    "__import__('os').system('touch /tmp/fuzzed')",
)


def numpy_header(content: bytes, rng: Random) -> bytes:
    """An array's file, its header written anew; or its data replaced by a pickle."""
    kind = rng.randrange(6)
    if kind < 2:
        return octets.mutated(content, rng)
    size = int.from_bytes(content[8:10], "little")
    shape = rng.choice(SHAPES) if kind != 3 else "(2, 1, 8, 8)"
    dtype = rng.choice(KINDS) if kind != 2 else "'|u1'"
    order = rng.choice(("True", "False", "False", "1", "None"))
    header = f"{{'descr': {dtype}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    version = rng.choice((b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x09\x00"))
    length = struct.pack("<H" if version == b"\x01\x00" else "<I", len(header))
    data = alone(rng) if rng.random() < 0.4 else content[10 + size :]
    return b"\x93NUMPY" + version + length + header + data


def safetensors_header(content: bytes, rng: Random) -> bytes:
    """A safetensors file whose header, or the settings inside it, were changed."""
    kind = rng.randrange(5)
    if kind == 0:
        return octets.mutated(content, rng)
    size = int.from_bytes(content[:8], "little")
    header: dict[str, Any] = json.loads(content[8 : 8 + size])
    if kind < 3 and "__metadata__" in header:
        header["__metadata__"] = _metadata(header["__metadata__"], rng)
    else:
        header = mutated_settings(header, rng, ("dtype", "shape", "data_offsets"))
    text = json.dumps(header, default=repr).encode("utf-8", errors="replace")
    length = len(text) if rng.random() < 0.9 else rng.choice((0, 1, 2**40, 2**63))
    return struct.pack("<Q", length) + text + content[8 + size :]


def _metadata(stated: dict[str, str], rng: Random) -> dict[str, str]:
    key = rng.choice(list(stated))
    try:
        settings = json.loads(stated[key])
    except ValueError:
        settings = {}
    if rng.random() < 0.2 or not isinstance(settings, dict | list) or not settings:
        return {
            **stated,
            key: rng.choice(("", "{", "[" * 100_000, "NaN", "null", "1", '"x"', "[]", "{}")),
        }
    changed = mutated_settings(settings, rng, ("student", "data", "name", "architecture"))
    return {**stated, key: json.dumps(changed, default=repr)}
