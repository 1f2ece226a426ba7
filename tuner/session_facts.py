"""What trials do not know of their study: how long it took, on what machine, with which code."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from tuner.atomic import write_atomically
from tuner.directory import StudyDirectory
from tuner.time_left import clock
from tuner.usage import Usage

Facts = Mapping[str, str]

WALL_TIME = "wall time of the last session"
MEMORY = "peak memory of all processes"
COSTS = (WALL_TIME, MEMORY)
"""The facts that say what it cost; the others say where it ran."""

PACKAGES = ("torch", "timm", "ray", "optuna", "mlflow")


def facts_now(usage: Usage) -> Facts:
    """The facts of the session that has been watched, for people."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return {
        WALL_TIME: clock(usage.seconds),
        MEMORY: f"{usage.peak_bytes / 1e9:.2f} GB",
        "driver": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}, "
        f"Python {platform.python_version()}",
        "versions": versions,
        "commit": commit(),
    }


def commit() -> str:
    """The commit of the code that runs, and whether it was changed; ``not a git checkout``."""
    folder = Path(__file__).parent
    found = _git(folder, "rev-parse", "--short=12", "HEAD")
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ".")
    if found is None:
        return "not a git checkout"
    return f"{found}, with changes that are not committed" if changed else found


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        result = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()


def keep_facts(directory: StudyDirectory, facts: Facts) -> None:
    """Write down the facts of a session that trained."""
    write_atomically(_file(directory), json.dumps(facts, indent=2) + "\n")


def kept_facts(directory: StudyDirectory) -> Facts:
    """What the last session that trained wrote down; empty if none did."""
    file = _file(directory)
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}


def _file(directory: StudyDirectory) -> Path:
    return directory.path / "session.json"
