"""The sentence for a name that does not exist, and how what somebody wrote is shown in one."""

import difflib
from collections.abc import Iterable

LONGEST_NAME = 120
"""Characters of a name that are compared and shown."""


def unknown(kind: str, name: object, known: Iterable[str]) -> str:
    """One sentence: what is unknown, the nearest match, and at most twelve allowed names."""
    names = sorted(known)
    nearest = difflib.get_close_matches(str(name)[:LONGEST_NAME], names, n=1, cutoff=0.5)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    listed = ", ".join(names[:12]) + (f", … ({len(names)} in all)" if len(names) > 12 else "")
    return f"unknown {kind} {shown(name)}; {hint}known: {listed}"


def shown(value: object) -> str:
    """A value as Python would write it, its middle left out where it is long."""
    return shortened(repr(value), LONGEST_NAME)


def shortened(text: str, length: int) -> str:
    """One printable line of at most so many characters; what is left out is its middle."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(line) <= length:
        return line
    half = (length - 3) // 2
    return f"{line[:half]} … {line[len(line) - half :]}"
