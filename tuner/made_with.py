"""What a result was made with: versions and the commit."""

import importlib.metadata
import platform
import subprocess
from functools import lru_cache
from pathlib import Path

PROJECT = "robust-distillation-tuner"
LIBRARIES = ("torch", "timm", "ray", "optuna")
"""Whose versions may change what a config comes to."""


def versions() -> dict[str, str]:
    """Versions of Python, of this project and of what the numbers depend on."""
    found = {name: importlib.metadata.version(name) for name in LIBRARIES}
    own = importlib.metadata.version(PROJECT)
    return {"python": platform.python_version(), "tuner": own, **found}


@lru_cache(maxsize=1)
def commit() -> str | None:
    """The commit of this project's sources, ``+changes`` behind it; None if not in a checkout."""
    here = Path(__file__).parent
    try:
        found = _git(here, "rev-parse", "HEAD")
        return f"{found}+changes" if _git(here, "status", "--porcelain", "-uno") else found
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    )
    return done.stdout.strip()
