"""Settings as text, with what only text can hold: tags, anchors, bombs, doubled keys, rubbish."""

import json
from random import Random
from typing import Any

import yaml

from benchmarks.fuzz import octets
from benchmarks.fuzz.nested import mutated

TAGS = (
    "!!python/object/apply:os.system ['touch /tmp/fuzzed']",
    "!!python/object/new:os.system ['touch /tmp/fuzzed']",
    "!!python/object/apply:subprocess.Popen [['touch', '/tmp/fuzzed']]",
    "!!python/object/apply:builtins.eval ['__import__(\"os\").getpid()']",
    "!!python/object:argparse.Namespace {a: 1}",
    "!!python/name:os.system ''",
    "!!python/module:os ''",
    "!!python/tuple [1, 2]",
    "!!binary gIA=",
    "!!binary '***'",
    "!!set {a, b}",
    "!!omap [a: 1, a: 2]",
    "!!pairs [a: 1]",
    "!!timestamp 2001-13-45",
    "!!int ''",
    "!!int '0b'",
    "!!float x",
    "!!bool perhaps",
    "!!null {}",
    "!!str [a]",
    "!!merge <<",
    "!unknown 1",
    "!<tag:yaml.org,2002:python/object/apply:os.getpid> []",
    "2001-13-45",
    "2001-01-01",
    "1:99:99",
    "0o9",
    ".inf",
    ".nan",
    "=",
    "<<",
    "*nobody",
    "&a *a",
    "&a [*a]",
    "&a {x: *a}",
    "{<<: [{a: 1}, 2]}",
    "{<<: 1}",
    "{? [1] : 2}",
    "{? {a: 1} : 2}",
    "{1: 2, 1: 3}",
    "|\n  x",
    "'",
    '"\\x"',
    '"\\ud800"',
    "@",
    "%",
    "\t- a",
    "1" * 5000,
    "-" + "9" * 4400,
    "1e" + "9" * 300,
)
"""YAML for one value."""


def as_text(content: Any, rng: Random, keys: tuple[str, ...]) -> bytes:
    """A file made from valid settings, hardly ever valid itself."""
    kind = rng.randrange(12)
    if kind < 6:
        return _encoded(_written(mutated(content, rng, keys), rng), rng)
    if kind < 8:
        return _encoded(_with_tag(content, rng), rng)
    if kind == 8:
        return _encoded(_bomb(content, rng), rng)
    if kind == 9:
        return _encoded(_doubled(content, rng), rng)
    return octets.mutated(plain(content), rng)


def plain(content: Any) -> bytes:
    return yaml.safe_dump(content, sort_keys=False).encode()


def _written(content: Any, rng: Random) -> str:
    if rng.random() < 0.3:
        return json.dumps(content, default=repr)
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=rng.random() < 0.5)


def _encoded(text: str, rng: Random) -> bytes:
    encoding = "utf-16" if rng.random() < 0.02 else "utf-8"
    return text.encode(encoding, errors="surrogatepass")


def _with_tag(content: Any, rng: Random) -> str:
    """A value, or a key, replaced by YAML that means something special."""
    lines = plain(content).decode().splitlines()
    number = rng.randrange(len(lines))
    key, colon, _ = lines[number].partition(":")
    tag = rng.choice(TAGS)
    lines[number] = f"{tag}: 1" if rng.random() < 0.15 else f"{key}{colon or ':'} {tag}"
    return "\n".join(lines)


def _bomb(content: Any, rng: Random) -> str:
    """Text that grows when it is read, or nests beyond reason."""
    depth = rng.choice((10, 100, 1_000, 20_000))
    key = rng.choice(("fixed", "baselines", "first_trials", "name", "description", "base", "x"))
    head = (
        "" if rng.random() < 0.2 else plain({k: v for k, v in content.items() if k != key}).decode()
    )
    return head + rng.choice(
        (
            f"{key}: {'[' * depth}{']' * depth}",
            f"{key}: {'{a: ' * depth}1{'}' * depth}",
            f"{key}: " + "".join(f"\n{' ' * i}- " for i in range(min(depth, 1_000))) + "x",
            f"{key}: {'- ' * depth}",
            _laughs(key, rng.choice(("[{}]", "{{a: {}}}", "{{<<: [{}]}}"))),
        )
    )


def _laughs(key: str, form: str) -> str:
    """Thirty anchors, each of which names the one before nine times."""
    inner = "*a{n}, " * 9
    lines = [f"{key}:", "  a0: &a0 {x: 1}"]
    for n in range(30):
        body = inner.format(n=n).rstrip(", ")
        if form.startswith("{{a"):
            body = f"[{body}]"
        lines.append(f"  a{n + 1}: &a{n + 1} {form.format(body)}")
    return "\n".join(lines)


def _doubled(content: Any, rng: Random) -> str:
    lines = plain(content).decode().splitlines()
    number = rng.randrange(len(lines))
    return "\n".join([*lines[: number + 1], *lines[number:]])
