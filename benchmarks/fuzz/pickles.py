"""Pickles that call, nest, grow and lie, put into the middle of valid ones."""

import pickletools
import struct
from functools import lru_cache
from random import Random

GLOBALS = (
    ("os", "system"),
    ("posix", "system"),
    ("os", "popen"),
    ("os", "mkdir"),
    ("builtins", "eval"),
    ("builtins", "exec"),
    ("builtins", "getattr"),
    ("builtins", "__import__"),
    ("builtins", "open"),
    ("__builtin__", "eval"),
    ("builtins", "bytearray"),
    ("builtins", "set"),
    ("builtins", "complex"),
    ("subprocess", "Popen"),
    ("subprocess", "check_output"),
    ("runpy", "_run_code"),
    ("pickle", "loads"),
    ("_pickle", "loads"),
    ("marshal", "loads"),
    ("types", "FunctionType"),
    ("types", "CodeType"),
    ("importlib", "import_module"),
    ("functools", "partial"),
    ("operator", "attrgetter"),
    ("operator", "methodcaller"),
    ("shutil", "rmtree"),
    ("socket", "create_connection"),
    ("ctypes", "CDLL"),
    ("webbrowser", "open"),
    ("timeit", "main"),
    ("numpy", "load"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("torch", "load"),
    ("torch.hub", "load"),
    ("torch.jit", "load"),
    ("torch.storage", "_load_from_bytes"),
    ("torch._utils", "_rebuild_tensor"),
    ("torch._utils", "_rebuild_tensor_v2"),
    ("torch._utils", "_rebuild_tensor_v3"),
    ("torch._utils", "_rebuild_parameter"),
    ("torch._utils", "_rebuild_parameter_with_state"),
    ("torch._utils", "_rebuild_qtensor"),
    ("torch._utils", "_rebuild_sparse_tensor"),
    ("torch._utils", "_rebuild_meta_tensor_no_storage"),
    ("torch._utils", "_rebuild_wrapper_subclass"),
    ("torch._utils", "_rebuild_device_tensor_from_numpy"),
    ("torch._utils", "_rebuild_device_tensor_from_cpu_tensor"),
    ("torch._utils", "_import_dotted_name"),
    ("torch._tensor", "_rebuild_from_type_v2"),
    ("torch.serialization", "_get_layout"),
    ("torch.nn.parameter", "Parameter"),
    ("torch.nn.modules.linear", "Linear"),
    ("torch", "Size"),
    ("torch", "Tensor"),
    ("torch", "FloatTensor"),
    ("torch.sparse", "FloatTensor"),
    ("torch", "device"),
    ("torch", "float64"),
    ("torch", "HalfStorage"),
    ("torch", "QInt8Storage"),
    ("torch.storage", "UntypedStorage"),
    ("torch.storage", "TypedStorage"),
    ("torch.cuda", "FloatStorage"),
    ("collections", "OrderedDict"),
    ("collections", "Counter"),
    ("collections", "defaultdict"),
    ("collections", "namedtuple"),
    ("_codecs", "encode"),
    ("_codecs", "decode"),
    ("copyreg", "_reconstructor"),
    ("argparse", "Namespace"),
    ("trainables.config", "TrialConfig"),
    ("__main__", "main"),
    ("../../evil", "x"),
    ("nowhere.to.be.found", "x"),
    ("é", "ü"),
)

PLAIN = (
    b"N",
    b"\x88",
    b"\x89",
    b"]",
    b"}",
    b")",
    b"\x8f",
    b"0",
    b"1",
    b"2",
    b"(",
    b"a",
    b"e",
    b"s",
    b"u",
    b"t",
    b"l",
    b"d",
    b"\x85",
    b"\x86",
    b"\x87",
    b"R",
    b"b",
    b"\x81",
    b"\x92",
    b"Q",
    b".",
    b"\x90",
    b"\x91",
    b"\x93",
    b"\x94",
    b"\x97",
    b"\x98",
    b"o",
    b"h\x00",
    b"h\x01",
    b"q\x00",
    b"j\xff\xff\xff\xff",
    b"r\xff\xff\xff\x00",
    b"K\x00",
    b"K\xff",
    b"M\xff\xff",
    b"J\xff\xff\xff\x7f",
    b"J\x00\x00\x00\x80",
    b"\x8a\x08" + b"\xff" * 7 + b"\x7f",
    b"\x8a\xff" + b"\x7f" * 255,
    b"G\x7f\xf8" + b"\0" * 6,
    b"G\x7f\xf0" + b"\0" * 6,
    b"X\xff\xff\xff\xff",
    b"X\x02\x00\x00\x00..",
    b"X\x03\x00\x00\x00\xed\xa0\x80",
    b"B\xff\xff\xff\x7f",
    b"\x8e" + b"\xff" * 8,
    b"\x8d" + b"\xff" * 7 + b"\x7f",
    b"U\xff",
    b"I99999\n",
    b"I01\n",
    b"L9999999999L\n",
    b"F1e999\n",
    b"S'x'\n",
    b"Vx\\ud800\n",
    b"P1\n",
    b"g0\n",
    b"p0\n",
    b"\x80\xff",
    b"\x95" + b"\xff" * 8,
    b"\x82\x01",
    b"\x83\x01\x00",
    b"\x84\x01\x00\x00\x00",
    b"ios\nsystem\n",
)
"""Opcodes with what they need, or with what they cannot have."""


def snippet(rng: Random) -> bytes:
    """A few opcodes that mean harm."""
    kind = rng.randrange(10)
    if kind < 2:
        return rng.choice(PLAIN)
    if kind == 2:
        return b"".join(rng.choice(PLAIN) for _ in range(rng.randint(2, 30)))
    if kind < 6:
        return _call(rng)
    if kind == 6:
        return _named(rng)
    if kind == 7:
        return _deep(rng)
    if kind == 8:
        return _tensor(rng)
    return _grown(rng)


def _named(rng: Random) -> bytes:
    module, name = rng.choice(GLOBALS)
    return f"c{module}\n{name}\n".encode()


def _call(rng: Random) -> bytes:
    end = rng.choice((b"R", b"R", b"\x81", b"R}b", b"R}X\x01\0\0\0aK\x01sb"))
    return _named(rng) + _arguments(rng) + end


def _arguments(rng: Random) -> bytes:
    texts = (
        "touch /tmp/fuzzed",
        "/tmp/fuzzed",
        "import os",
        "utf-8",
        "cpu",
        "cuda:0",
        "meta",
        "x" * 999,
    )
    one = (
        lambda: _text(rng.choice(texts)),
        lambda: _number(rng.choice((0, -1, 1, 7, 10**6, 10**10, 10**12, 2**63))),
        lambda: b"]",
        lambda: _named(rng),
        lambda: b"N",
        lambda: _number(10**6) + _number(10**6) + b"\x86",
        lambda: b"h\x00",
    )
    return b"(" + b"".join(rng.choice(one)() for _ in range(rng.randint(0, 6))) + b"t"


def _text(text: str) -> bytes:
    data = text.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def _number(value: int) -> bytes:
    data = value.to_bytes(16, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def _deep(rng: Random) -> bytes:
    depth = rng.choice((10, 100, 1_000, 1_000, 10_000)) if rng.random() < 0.99 else 300_000
    tuples = b")" + b"\x85" * depth
    lists = b"]" * depth + b"a" * (depth - 1)
    mappings = b"}X\x01\0\0\0a" * depth + b"N" + b"s" * depth
    return rng.choice((tuples, b"}" + tuples + b"Ns", lists, mappings, b"\x8f(" + tuples + b"\x90"))


def _grown(rng: Random) -> bytes:
    """Lists or tuples of the same list twice, 40 times over."""
    twice = rng.choice((b"q\x10h\x10\x86", b"q\x10]h\x10ah\x10a", b"q\x10}N0(h\x10h\x10l"))
    return b"]" + twice * rng.choice((20, 40, 400))


def _tensor(rng: Random) -> bytes:
    """A tensor that says it is larger than its storage, or lies far outside."""
    size, stride = rng.choice(
        (
            ((10**12,), (0,)),
            ((10**6, 10**6), (0, 0)),
            ((2**62, 4), (0, 1)),
            ((-1,), (1,)),
            ((4,), (-1,)),
            ((4,), (2**62,)),
            ((0, 2**62), (1, 1)),
        )
    )
    numbers = (b"(" + b"".join(map(_number, part)) + b"t" for part in (size, stride))
    offset = _number(rng.choice((0, 1, -1, 2**62)))
    storage = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0" + b"0X\x03\0\0\0cpuK\x10tQ"
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + storage
        + offset
        + b"".join(numbers)
        + b"\x89ccollections\nOrderedDict\n)RtR"
    )


@lru_cache(maxsize=64)
def _boundaries(content: bytes) -> tuple[int, ...]:
    """Where an opcode of the first pickle begins."""
    return tuple(place for _, _, place in pickletools.genops(content) if place is not None)


def mutated(content: bytes, rng: Random) -> bytes:
    """A pickle with snippets put in, or in place of one of its own opcodes."""
    places = _boundaries(content)
    if len(places) < 4:
        return snippet(rng) + content
    for place in sorted(rng.sample(places[1:], rng.choice((1, 1, 1, 2, 3))), reverse=True):
        after = places[places.index(place) + 1] if place != places[-1] else len(content)
        rest = content[after if rng.random() < 0.4 else place :]
        content = content[:place] + snippet(rng) + rest
    return content


def alone(rng: Random) -> bytes:
    """A pickle of nothing but snippets."""
    head = b"\x80" + bytes([rng.choice((2, 2, 2, 3, 4, 5))])
    return head + b"".join(snippet(rng) for _ in range(rng.randint(1, 8))) + b"."
