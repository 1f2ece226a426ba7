"""What trials do not know of their study: how long it took, on what machine, with which code."""

import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path

from tuner.exporting.made_with import CHANGED, LIBRARIES, commit, listed, versions
from tuner.json_files import read_json
from tuner.running.time_left import clock
from tuner.running.usage import Usage
from tuner.storage.atomic import write_atomically
from tuner.storage.directory import StudyDirectory

Facts = Mapping[str, str]

WALL_TIME = "wall time of the last session"
MEMORY = "peak memory of all processes"
COSTS = (WALL_TIME, MEMORY)
"""The facts that say what it cost; the others say where it ran."""


def facts_now(usage: Usage) -> Facts:
    """The facts of the session that has been watched, for people."""
    return {
        WALL_TIME: clock(usage.seconds),
        MEMORY: f"{usage.peak_bytes / 1e9:.2f} GB",
        "driver": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "versions": listed(versions((*LIBRARIES, "mlflow"))),
        "commit": commit_in_words(),
    }


def commit_in_words() -> str:
    """The commit of the code that runs, and whether it was changed; ``not a git checkout``."""
    found = commit()
    if found is None:
        return "not a git checkout"
    changed = ", with changes that are not committed" if found.endswith(CHANGED) else ""
    return f"{found[:12]}{changed}"


def keep_facts(directory: StudyDirectory, facts: Facts) -> None:
    """Write down the facts of a session that trained."""
    write_atomically(_file(directory), json.dumps(facts, indent=2) + "\n")


def kept_facts(directory: StudyDirectory) -> Facts:
    """What the last session that trained wrote down; empty if none did."""
    file = _file(directory)
    return {key: str(value) for key, value in read_json(file).items()} if file.is_file() else {}


def _file(directory: StudyDirectory) -> Path:
    return directory.path / "session.json"
