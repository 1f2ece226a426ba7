"""A database server as Optuna's storage: one that is restarted while a study runs is waited for."""

import logging
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, RDBStorage, get_storage

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

logger = logging.getLogger(__name__)
Answer = TypeVar("Answer")

PATIENCE, PAUSE = 120.0, 1.0
"""Seconds to wait for a server that was there before, and between attempts."""

POSTGRESQL = ("postgresql", "postgres")
DRIVERS = ("psycopg", "psycopg2")
SETTINGS = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""libpq's, in seconds and milliseconds: a server that is cut off is noticed in half a minute."""


def with_driver(url: str) -> str:
    """The URL of a PostgreSQL with the driver that is installed, unless it names one.

    SQLAlchemy 2.0 means psycopg2 by ``postgresql://``, SQLAlchemy 2.1 psycopg, installed or not.
    """
    scheme, slashes, rest = url.partition("://")
    found = [driver for driver in DRIVERS if find_spec(driver)]
    if scheme not in POSTGRESQL or not found:
        return url
    return f"postgresql+{found[0]}{slashes}{rest}"


def parsed(url: str) -> "URL":
    """SQLAlchemy's reading of a URL, with the driver that is installed.

    Raises:
        ArgumentError: if it cannot be read.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(with_driver(url))
    except ValueError as error:  # SQLAlchemy checks nothing of a port
        raise ArgumentError("its port is no number") from error


def open_database(url: str, patience: float = PATIENCE) -> BaseStorage:
    """Optuna's storage in a database.

    Args:
        url: SQLAlchemy's.
        patience: seconds to wait for a server that answered once and does not any more.

    Raises:
        SQLAlchemyError, StorageInternalError, ImportError: if it does not open now.
    """
    parsed(url)
    if not url.startswith(POSTGRESQL):
        return get_storage(url)
    engine = {"pool_pre_ping": True, "connect_args": SETTINGS}
    storage = RDBStorage(with_driver(url), engine_kwargs=engine)
    _wait_when_lost(storage.engine, patience)
    return get_storage(storage)


def _wait_when_lost(engine: "Engine", patience: float) -> None:
    """Wait inside the making of connections: there, nothing has been asked for that could be lost.

    As a connection is looked at before every transaction, only one that breaks off within a
    transaction is ever noticed by Optuna.
    """
    from sqlalchemy import event

    def connect(dialect: Any, _record: Any, arguments: Any, settings: Any) -> Any:
        deadline = time.monotonic() + patience
        said = False
        while True:
            try:
                return dialect.connect(*arguments, **settings)
            except dialect.dbapi.OperationalError as error:
                if time.monotonic() >= deadline:
                    raise
                said = said or _say(str(error), patience)
            time.sleep(min(PAUSE, patience))

    event.listen(engine, "do_connect", connect)


def _say(error: str, patience: float) -> bool:
    first = error.strip().splitlines()[0]
    logger.warning("Optuna's storage is away (%s); waiting for it, up to %g s", first, patience)
    return True


def ask_again(question: Callable[..., Answer], *arguments: Any) -> Answer:
    """What a storage answers; asked once more if the connection broke off within the transaction.

    Only for what does no harm when it is done twice.

    Raises:
        StorageInternalError: if it broke off twice, or the database stayed away.
    """
    try:
        return question(*arguments)
    except StorageInternalError as error:
        logger.warning("Optuna's storage broke off (%s); asking it again", error.__cause__)
        return question(*arguments)
