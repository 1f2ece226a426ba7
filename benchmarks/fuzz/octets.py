"""Mutations of bytes that know nothing of what the bytes mean."""

from random import Random

SPECIAL = (0, 1, 0x7F, 0x80, 0xFF)
WORDS = tuple(
    number.to_bytes(size, "little")
    for size in (2, 4, 8)
    for number in (0, 1, 2 ** (8 * size - 1) - 1, 2 ** (8 * size - 1), 2 ** (8 * size) - 1)
)


def mutated(content: bytes, rng: Random) -> bytes:
    """The content with one to sixteen damages."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        _damage(data, rng)
    return bytes(data)


def _damage(data: bytearray, rng: Random) -> None:
    place = _place(data, rng)
    kind = rng.randrange(9)
    if kind < 3 and data:
        data[place % len(data)] ^= 1 << rng.randrange(8)
    elif kind == 3 and data:
        data[place % len(data)] = rng.choice(SPECIAL)
    elif kind == 4:
        word = rng.choice(WORDS)
        data[place : place + len(word)] = word
    elif kind == 5:
        del data[place:]  # cut off
    elif kind == 6:
        del data[place : place + rng.randint(1, 64)]
    elif kind == 7:
        data[place:place] = rng.randbytes(rng.randint(1, 64))
    else:
        other = _place(data, rng)
        data[place:place] = data[other : other + rng.randint(1, 200)]


def _place(data: bytearray, rng: Random) -> int:
    """More often near the ends, where the headers are."""
    if not data:
        return 0
    near = min(len(data), 400)
    return rng.choice(
        (rng.randrange(len(data)), rng.randrange(near), len(data) - 1 - rng.randrange(near))
    )
