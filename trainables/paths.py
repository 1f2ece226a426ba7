"""Paths that somebody wrote into a study or a trial; they may lie anywhere on the machine."""

from pathlib import Path


def usable(path: Path | None) -> Path | None:
    """The path itself.

    Raises:
        ValueError: if no machine, or only this one, could say what it means.
    """
    if path is None:
        return None
    if "\0" in str(path):
        raise ValueError(f"a path must not contain a NUL character, got {str(path)[:80]!r}")
    first = path.parts[0] if path.parts else ""
    if first.startswith("~") and first != "~":
        raise ValueError(
            f"a path may begin with ~/ but not with another's home, got {str(path)[:80]!r}; write "
            "the whole path"
        )
    return path
