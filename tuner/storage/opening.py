"""Where the record of a study is kept: a journal file in its directory, or a database."""

from pathlib import Path

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage

from trainables.redaction import without_secrets
from tuner.doctor.services import remedy
from tuner.secrets import filled_in
from tuner.storage.database import open_database
from tuner.storage.journal import Journal
from tuner.study import StudyConfig

JOURNAL = "optuna.journal"


def open_storage(study: StudyConfig, directory: Path) -> BaseStorage:
    """The storage that the study names, else the journal in its directory.

    Raises:
        ConnectionError: if the database does not answer.
        ValueError: if the journal is damaged.
        OSError: if it can be neither read nor made.
    """
    return _database(study.storage) if study.storage else _journal(directory / JOURNAL)


def _database(url: str) -> BaseStorage:
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return open_database(filled_in(url))
    except (SQLAlchemyError, StorageInternalError, ImportError) as error:
        cause = error.__cause__ if isinstance(error, ImportError) and error.__cause__ else error
        first = str(getattr(cause, "orig", cause)).strip().splitlines()[0]
        raise ConnectionError(
            without_secrets(f"storage {url} does not open ({first}); {remedy(error)}")
        ) from error


def _journal(path: Path) -> BaseStorage:
    try:
        return JournalStorage(Journal(path))
    except ValueError as error:
        raise ValueError(
            f"{path} is damaged before its last line ({error}); put back a copy of it, or run the "
            "study again in another directory"
        ) from error


def holds(storage: BaseStorage, name: str) -> bool:
    """Whether a study of this name was begun in the storage."""
    return name in optuna.get_all_study_names(storage)


def has_begun(study: StudyConfig, directory: Path) -> bool:
    """Whether there is a storage to look into; nothing is made to find out."""
    return study.storage is not None or (directory / JOURNAL).is_file()
