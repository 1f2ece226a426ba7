"""Whether the driver reaches Optuna's storage and MLflow; nodes need neither."""

from pathlib import Path
from typing import TYPE_CHECKING

from trainables.redaction import without_secrets
from tuner.doctor.facts import Finding
from tuner.secrets import filled_in

if TYPE_CHECKING:
    from sqlalchemy import URL

PATIENCE = 10
"""Seconds for a database to answer."""


def optuna_storage(url: str | None) -> Finding:
    """A database answers; a journal lies in the study's directory, which is looked at anyway."""
    if url is None:
        return Finding("optuna", "a journal file in the study's directory; only the driver uses it")
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError

    from tuner.storage.database import parsed

    try:
        place = parsed(filled_in(url))
        if place.get_backend_name() == "sqlite":
            return _sqlite(place)
        engine = create_engine(place, connect_args={"connect_timeout": PATIENCE})
        with engine.connect():
            return Finding("optuna", f"{without_secrets(url)} answers")
    except ValueError as error:
        return Finding("optuna", *str(error).split("; ", 1))
    except (SQLAlchemyError, ImportError) as error:
        first = str(getattr(error, "orig", error)).strip().splitlines()[0]
        what = without_secrets(f"{url} does not answer: {first}")
        return Finding("optuna", what, remedy(error))


def remedy(error: Exception) -> str:
    """What to do about a database that cannot be used."""
    if isinstance(error, ImportError):
        return "install that driver beside the tuner"
    return "start it, or correct storage in the study file; docs/cluster.md has one to start"


def _sqlite(place: "URL") -> Finding:
    """Opening a file that is not there would make it."""
    folder = Path(place.database or "").resolve().parent
    if folder.is_dir():
        return Finding("optuna", f"{place.render_as_string()}, a file of this machine")
    return Finding("optuna", f"folder {folder} of the SQLite file is not there", "make it")


def mlflow(uri: str | None) -> Finding:
    """A server answers; a SQLite file can be opened once it is there."""
    if uri is None:
        return Finding("mlflow", "not asked for")
    from tuner.tracking.client import SQLITE, connect

    if uri.startswith(SQLITE) and not Path(uri.removeprefix(SQLITE)).exists():
        return Finding("mlflow", f"{uri} is made when the study begins")
    try:
        connect(uri)
    except ConnectionError as error:
        what, _, todo = str(error).partition("; ")
        return Finding("mlflow", what, todo)
    except ValueError as error:
        return Finding("mlflow", *str(error).split("; ", 1))
    return Finding("mlflow", f"{without_secrets(uri)} answers")


def missing_services(
    lines: list[Finding], storage: str | None, tracking: str | None
) -> list[Finding]:
    """The lines of Optuna and MLflow for a study at a URL, which has to name both."""
    optuna, server = lines
    if storage is None:
        optuna = Finding(
            "optuna",
            "a study at a URL needs a database, and names none",
            "name it as storage in the study file, such as postgresql://host/optuna",
        )
    if tracking is None:
        server = Finding(
            "mlflow",
            "a study at a URL has no place for a local mlflow.db",
            "name a server by tracking.uri, or set tracking.enabled to false",
        )
    return [optuna, server]
