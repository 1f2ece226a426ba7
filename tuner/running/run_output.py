"""What ``tuner run`` prints: pictures and tables, the last lines only, or JSON for programs."""

import json
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any

from rich.console import Console

from tuner.analysis.results import Results
from tuner.analysis.tables import front_rows
from tuner.records import TrialRecord, TrialState
from tuner.running.progress import JsonProgress, Progress, SilentProgress, create_progress
from tuner.running.session import Session
from tuner.running.tally import Tally
from tuner.showing import places
from tuner.storage.directory import StudyDirectory
from tuner.study import StudyConfig
from tuner.tracking.tracker import default_uri, pages


class Output(StrEnum):
    """How much is printed, and for whom."""

    full = "full"
    quiet = "quiet"
    json = "json"


def create_session(
    study: StudyConfig,
    directory: StudyDirectory,
    console: Console,
    address: str | None,
    *,
    output: Output,
) -> Session:
    """A session whose words go to the console only where they are wanted there."""

    def progress(study: StudyConfig, records: Iterable[TrialRecord]) -> Progress:
        if output == Output.quiet:
            return SilentProgress()
        if output == Output.json:
            return JsonProgress(Tally(study, records), console)
        return create_progress(study, records, console)

    said = console if output == Output.full else Console(quiet=True)
    return Session(study, directory, said, address, progress=progress)


def end_as_json(results: Results, session: Session) -> str:
    """One line with everything that a program needs of a finished study."""
    directory = session.directory
    summary = results.summary
    content = {
        "event": "study",
        "study": results.study.name,
        "directory": str(directory.path),
        "trials": {state: int(summary[f"trials/{state}"]) for state in ("total", *TrialState)},
        "hypervolume": results.hypervolume,
        "knee": results.knee.number if results.complete else None,
        "front": [row for row in front_rows(results) if row["on_front"]],
        "paths": {name: str(path) for name, path in places(directory).items()},
        "mlflow": mlflow_places(results.study, directory.path, synced=session.synced),
        "seconds": session.usage.seconds,
        "peak_bytes": session.usage.peak_bytes,
    }
    return json.dumps(content, allow_nan=False)


def mlflow_places(study: StudyConfig, path: Path, *, synced: bool) -> dict[str, Any] | None:
    """Where MLflow shows the study; links only if a server was asked for. None: not tracked."""
    if not study.tracking.enabled:
        return None
    uri = study.tracking.uri or default_uri(path)
    found: dict[str, Any] = {"uri": uri, "synced": synced, "open": f"tuner ui {path}"}
    if synced and uri.startswith("http"):
        links = pages(study, path, uri, base=uri)
        found |= {"study": links.study, "front": links.front}
    return found


def interruption_as_json(message: str, directory: StudyDirectory) -> str:
    """One line for a study that was stopped before its end."""
    go_on = f"tuner resume {directory}"
    return json.dumps({"event": "interrupted", "message": message, "go_on": go_on})
