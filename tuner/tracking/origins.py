"""Who ran a study, from which commit, with which versions: noted beside it at every session.

A store that is rebuilt later, by ``tuner sync``, then says what made a trial and not what wrote it
down.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from tuner.exporting.made_with import commit, git, versions
from tuner.storage.atomic import write_atomically
from tuner.tracking.client import resolve_tags

logger = logging.getLogger(__name__)

FILE = "origins.json"
VERSIONED = ("torch", "ray", "optuna", "mlflow")

Tags = Mapping[str, str]


@dataclass(frozen=True)
class Origins:
    """Tags of the sessions of a study, each with the moment it began, oldest first."""

    sessions: tuple[tuple[datetime, Tags], ...]

    @classmethod
    def read(cls, directory: Path) -> Self:
        """What is noted in a study's directory; empty if nothing is, or nothing readable."""
        try:
            noted = json.loads((directory / FILE).read_text())
            return cls(tuple((datetime.fromisoformat(e["since"]), e["tags"]) for e in noted))
        except (OSError, ValueError, KeyError, TypeError):
            return cls(())

    def at(self, moment: datetime | None) -> Tags:
        """Tags of the session in which something began; unknown moments are of the last one.

        Where nothing is noted, only who writes and with which versions; a commit would be a guess.
        """
        if not self.sessions:
            return _writer()
        before = [tags for since, tags in self.sessions if moment is None or since <= moment]
        return before[-1] if before else self.sessions[0][1]


def note(directory: Path) -> None:
    """Note in the study's directory who runs it now, unless the last session was the same."""
    origins = Origins.read(directory)
    now = {**_writer(), **_own_commit(), **_checkout(Path.cwd())}
    if origins.sessions and origins.sessions[-1][1] == now:
        return
    sessions = [*origins.sessions, (datetime.now(UTC), now)]
    content = [{"since": since.isoformat(), "tags": dict(tags)} for since, tags in sessions]
    try:
        write_atomically(directory / FILE, json.dumps(content, indent=1))
    except OSError as error:  # it is not worth a study
        logger.warning("who runs the study is not noted: %s", error)


def _writer() -> dict[str, str]:
    # what MLflow itself finds of git is of the program's file, wherever it lies, and of now
    found = {key: tag for key, tag in resolve_tags().items() if ".git." not in key}
    return {**found, "tuner.versions": json.dumps(versions(VERSIONED))}


def _own_commit() -> dict[str, str]:
    """The commit of the tuner itself; empty where it was not installed from a checkout."""
    found = commit()
    return {"tuner.commit": found} if found else {}


def _checkout(folder: Path) -> dict[str, str]:
    """Commit, branch and whether files differ from it; empty outside a git checkout."""
    answer = git(folder, "status", "--porcelain=v2", "--branch", "--untracked-files=no")
    if answer is None:
        return {}
    lines = answer.splitlines()
    facts = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# branch."))
    commit = facts.get("branch.oid", "(initial)")
    if commit == "(initial)":
        return {}
    changed = any(not line.startswith("#") for line in lines)
    return {
        "mlflow.source.git.commit": commit,
        "mlflow.source.git.branch": facts["branch.head"],
        "mlflow.source.git.dirty": str(changed).lower(),
    }
