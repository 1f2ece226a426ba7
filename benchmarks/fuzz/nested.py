"""Mutations of nested settings: what a study file or a JSON record holds, with something odd."""

import copy
from collections.abc import Iterator
from random import Random
from typing import Any

HOSTILE_NAMES = (
    "../../etc/cron.d/x",
    "/etc/passwd",
    "~root/.ssh/authorized_keys",
    "~nobody-knows/x",
    "a/../../b",
    "..",
    ".",
    "",
    "-rf",
    "a\0b",
    "a\nb",
    "CON",
    "aux.txt",
    "trailing.",
    "x" * 300,
    "x" * 70_000,
    "é" * 200,
    "\u202egnp.exe",
    "\ud800",
    "\x1b[31mred",
    "<script>alert(1)</script>",
    "$(touch /tmp/fuzzed)",
    "`touch /tmp/fuzzed`",
    "os:system",
    "builtins:eval",
    "subprocess:run",
    "../evil:space",
    "antigravity:fly",
    "s3://bucket/key",
    "file:///etc/passwd",
    "hf-hub:somebody/model",
    "local-dir:/etc",
    "=cmd|' /C calc'!A0",
    "%s%s%s%n",
    "{0.__class__}",
)

HOSTILE_VALUES = (
    *HOSTILE_NAMES,
    None,
    True,
    0,
    -1,
    1,
    2**31,
    2**63,
    2**64,
    10**30,
    10**400,
    1e308,
    1e-320,
    -0.0,
    float("nan"),
    float("inf"),
    float("-inf"),
    "1e999",
    "NaN",
    "1" * 5000,
    "0x10",
    "1_000",
    [],
    {},
    [[]],
    [None],
    {"": ""},
    {"name": None},
    {"name": "x" * 500},
    b"\x80\x00",
)


def paths(content: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every value inside."""
    items = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in items:
        yield (*before, key)
        if isinstance(value, dict | list):
            yield from paths(value, (*before, key))


def mutated(content: Any, rng: Random, keys: tuple[str, ...] = ()) -> Any:
    """The content with one to four changes; ``keys`` are names that may mean something."""
    content = copy.deepcopy(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        places = list(paths(content))
        if places:
            *parents, last = rng.choice(places)
            inner = content
            for key in parents:
                inner = inner[key]
            _change(inner, last, rng, keys or ("name",))
    return content


def _change(inner: Any, key: Any, rng: Random, keys: tuple[str, ...]) -> None:
    kind = rng.randrange(10)
    if kind < 5:
        inner[key] = value(rng)
    elif kind == 5:
        del inner[key]
    elif kind == 6 and isinstance(inner, dict):
        inner[rng.choice((*keys, *HOSTILE_NAMES))] = value(rng)
    elif kind == 7 and isinstance(inner, dict):
        inner[rng.choice((*keys, *HOSTILE_NAMES))] = inner.pop(key)
    elif kind == 8:
        inner[key] = nested(inner[key], rng.choice((1, 2, 5, 30, 90)), rng)
    else:
        inner[key] = [copy.deepcopy(inner[key]) for _ in range(rng.choice((0, 2, 3, 100)))]


def value(rng: Random) -> Any:
    """Something odd."""
    if rng.random() < 0.15:
        return rng.choice(
            (rng.randint(-(10**6), 10**6), rng.uniform(-10, 10), 10.0 ** rng.randint(-30, 30))
        )
    return copy.deepcopy(rng.choice(HOSTILE_VALUES))


def nested(inner: Any, depth: int, rng: Random) -> Any:
    """A value inside so many lists and dictionaries."""
    for _ in range(depth):
        inner = [inner] if rng.random() < 0.5 else {rng.choice(("a", "name", "x")): inner}
    return inner
