"""Records of ours as JSON or CSV, changed."""

import json
from random import Random
from typing import Any

from benchmarks.fuzz import octets
from benchmarks.fuzz.nested import mutated


def json_text(content: Any, rng: Random) -> bytes:
    """A JSON file with something odd in it."""
    if rng.random() < 0.2:
        return octets.mutated(json.dumps(content).encode(), rng)
    if rng.random() < 0.05:
        return b"[" * 100_000
    changed = mutated(content, rng) if rng.random() < 0.95 else [content]
    return json.dumps(changed, default=repr).encode("utf-8", errors="surrogatepass")
