"""A connection to MLflow that is quiet and impatient: besides its models' format, all of it."""

import fcntl
import logging
import os
import tempfile
from pathlib import Path

import mlflow
from mlflow import MlflowClient as MlflowClient
from mlflow.entities import Dataset as Dataset
from mlflow.entities import DatasetInput as DatasetInput
from mlflow.entities import InputTag as InputTag
from mlflow.entities import LoggedModel as LoggedModel
from mlflow.entities import LoggedModelOutput as LoggedModelOutput
from mlflow.entities import Metric as Metric
from mlflow.entities import Param as Param
from mlflow.entities import Run as Run
from mlflow.entities import RunTag as RunTag
from mlflow.entities.model_registry import ModelVersion as ModelVersion
from mlflow.exceptions import MlflowException as MlflowException
from mlflow.tracking.context.registry import resolve_tags as found_tags
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request

from trainables.redaction import without_secrets
from tuner.secrets import filled_in
from tuner.storage.atomic import write_atomically

# By default one call to a dead server blocks for four minutes; waiting is done elsewhere.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
# Otherwise every end of a run asks the server for the run, and prints where it is.
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

SQLITE = "sqlite:///"
REFUSALS = {
    "INVALID_PARAMETER_VALUE",
    "INVALID_STATE",
    "BAD_REQUEST",
    "RESOURCE_DOES_NOT_EXIST",
    "RESOURCE_ALREADY_EXISTS",
}


def is_passing(error: Exception) -> bool:
    """Whether the same request may pass later: MLflow has not understood and refused it."""
    if isinstance(error, MlflowException):
        return error.error_code not in REFUSALS
    return isinstance(error, OSError)


def is_server(uri: str) -> bool:
    """Whether the tracking URI names a running server, not a database that we open ourselves."""
    return uri.startswith(("http://", "https://"))


def connect(uri: str) -> MlflowClient:
    """A client of a store that has just answered; a SQLite database is created if it is not there.

    Raises:
        ConnectionError: if the store does not answer (for a server: within about 10 s).
        ValueError: if the URI names a variable that is not set.
    """
    opened = filled_in(uri)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # it logs what it raises, with a traceback; what is raised is told in a sentence
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    try:
        client = _open(opened)
        client.search_experiments(max_results=1)
    except (
        Exception
    ) as error:  # sqlalchemy, requests, MLflow and the file system all raise their own
        raise ConnectionError(unreachable(uri, error)) from error
    return client


def _open(uri: str) -> MlflowClient:
    return _create_sqlite(uri) if uri.startswith(SQLITE) else MlflowClient(tracking_uri=uri)


def _create_sqlite(uri: str) -> MlflowClient:
    # Two processes that open a fresh SQLite file at the same time can break it for good.
    database = Path(uri.removeprefix(SQLITE))
    database.parent.mkdir(parents=True, exist_ok=True)
    with database.with_name(f".{database.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not database.exists() or not database.stat().st_size:
            write_atomically(database, _empty_store())
        return MlflowClient(tracking_uri=uri)


def _empty_store() -> bytes:
    """A database with MLflow's tables, made elsewhere: one that is left half made stays broken."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "mlflow.db"
        MlflowClient(tracking_uri=f"{SQLITE}{database}").search_experiments(max_results=1)
        return database.read_bytes()


def unreachable(uri: str, error: Exception) -> str:
    """One sentence: what does not answer, where, why, and what to do."""
    remedy = (
        "start the server there, correct tracking.uri in the study file"
        if is_server(uri)
        else "see that the directory can be written, correct tracking.uri in the study file"
    )
    reason = str(getattr(error, "message", error)).splitlines()[0][:200]
    return without_secrets(
        f"MLflow does not answer at {uri} ({reason}); {remedy}, "
        "or set tracking.enabled to false to run without it"
    )


def resolve_tags() -> dict[str, str]:
    """What MLflow finds out about who runs what; a remote of git may have a token in its URL."""
    return {key: without_secrets(tag) for key, tag in found_tags().items()}


def server_version(uri: str) -> str:
    """The version of MLflow that shows a store: of the server, or ours for a database.

    Returns:
        ``3.17.2``; empty where a server does not say.
    """
    if not is_server(uri):
        return str(mlflow.__version__)
    try:
        credentials = get_default_host_creds(uri)  # type: ignore[no-untyped-call]
        answer = http_request(credentials, "/version", "GET", timeout=5)  # type: ignore[no-untyped-call]
    except (MlflowException, OSError):
        return ""
    return str(answer.text).strip() if answer.status_code == 200 else ""
