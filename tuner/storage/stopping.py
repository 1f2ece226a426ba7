"""Why a study stops before its end though nothing is wrong with it: its files or storage."""

from collections.abc import Iterator
from contextlib import contextmanager

from optuna.exceptions import StorageInternalError
from ray.tune.error import TuneError


class StorageFailedError(OSError):
    """What a study has to keep cannot be written; nothing that is stored is lost."""


@contextmanager
def told_in_a_sentence(directory: str) -> Iterator[None]:
    """Let what a disk or a database refuses end a study with a sentence that says how to go on.

    Raises:
        StorageFailedError: instead of what the operating system, Optuna or Ray made of it.
    """
    try:
        yield
    except ConnectionError:
        raise  # of MLflow; it says what to do
    except (OSError, StorageInternalError, TuneError) as error:
        cause = storage_failure(error)
        if cause is None:
            raise
        raise StorageFailedError(
            f"study {directory} stopped: {_words(cause)}; nothing that was stored is lost; make "
            "room or repair it, then the same command goes on"
        ) from error


def storage_failure(error: BaseException) -> BaseException | None:
    """The refusal behind an error; Ray passes on what its callbacks raise as text."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, OSError | StorageInternalError):
        found = found.__cause__ or found.__context__
    return found


def _words(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"cannot use {error.filename} ({error.strerror})"
    if isinstance(error, StorageInternalError):
        cause = getattr(error.__cause__, "orig", error.__cause__) or error
        return f"its storage does not answer ({str(cause).strip().splitlines()[0]})"
    return getattr(error, "strerror", None) or str(error)
