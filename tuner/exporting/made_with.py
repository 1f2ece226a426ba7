"""What a result was made with: versions and the commit."""

import importlib.metadata
import platform
import subprocess
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

PROJECT = "robust-distillation-tuner"
LIBRARIES = ("torch", "timm", "ray", "optuna")
"""Whose versions may change what a config comes to."""

CHANGED = "+changes"
SOURCES = ("tuner", "trainables", "search_spaces")


def versions(libraries: Iterable[str] = LIBRARIES) -> dict[str, str]:
    """Versions of Python, of this project as ``tuner``, and of libraries; of what is installed."""
    found = {"python": platform.python_version()}
    for name in (PROJECT, *libraries):
        try:
            found["tuner" if name == PROJECT else name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:  # run from a folder
            continue
    return found


def listed(numbers: dict[str, str]) -> str:
    """``torch 2.15.0, ray 2.60.0``."""
    return ", ".join(f"{name} {number}" for name, number in numbers.items())


@lru_cache(maxsize=1)
def commit() -> str | None:
    """The commit of this project's sources, ``+changes`` behind it; None if not in a checkout."""
    root = Path(__file__).parents[2]
    found = git(root, "rev-parse", "HEAD")
    changes = git(root, "status", "--porcelain", "--untracked-files=no", "--", *SOURCES)
    return found and f"{found}{CHANGED if changes else ''}"


def git(folder: Path, *arguments: str) -> str | None:
    """What git says in a folder; None where there is no git, or no checkout."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
