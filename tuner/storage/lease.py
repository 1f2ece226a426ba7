"""The right to drive a study that lives at a URL: a row in the database of its ledger.

Files in a bucket cannot be locked. The driver writes its name and a count that grows every few
seconds. Whoever finds another's name watches the count: while it grows, the study is being run;
once it has stood still for ``PATIENCE`` seconds, the row is taken over. No clock is compared, and
every change names what it replaces, so that of two who try, one succeeds.
"""

import json
import os
import platform
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import psutil
from sqlalchemy import Column, Float, Integer, MetaData, String, Table, Text, create_engine, inspect
from sqlalchemy import insert as insert_into
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.schema import CreateTable

from trainables.redaction import without_secrets
from tuner.doctor.services import PATIENCE as CONNECT_SECONDS
from tuner.doctor.services import remedy
from tuner.secrets import filled_in
from tuner.storage.database import parsed

BEAT = 3.0
"""Seconds between two counts."""
PATIENCE = 30.0
"""Seconds without one, after which a driver counts as dead."""
NOBODY = ""

DRIVERS = Table(
    "tuner_drivers",
    MetaData(),
    Column("study", String(512), primary_key=True),
    Column("holder", Text, nullable=False),
    Column("beat", Integer, nullable=False),
    Column("seen", Float, nullable=False),  # seconds since 1970, for people alone
)


class Held(NamedTuple):
    """The row of a study."""

    holder: str
    beat: int
    seen: float


class Lease:
    """Keeps every other driver out of a study, as a context; a lost one interrupts the process.

    Args:
        storage: URL of the database.
        study: what the row is called.
        say: is told that there is something to wait for.

    Raises:
        ValueError: on entering, if somebody drives the study; on leaving, if it was taken over.
        ConnectionError: on entering, if the database does not answer.
    """

    def __init__(
        self, storage: str, study: str, say: Callable[[str], None] = lambda _: None
    ) -> None:
        self._storage, self._study, self._me = storage, study, whoami()
        self._say = say
        self._engine: Engine | None = None
        self._beat, self._lost = 0, False
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="lease", daemon=True)

    def __enter__(self) -> "Lease":
        """Take the row, or say who has it; waits where its holder is silent."""
        self._engine = open_database(self._storage)
        try:
            self._win(self._engine)
        except SQLAlchemyError as error:  # it answered a moment ago
            raise _unopened(self._storage, error) from error
        self._thread.start()
        return self

    def _win(self, engine: Engine) -> None:
        deadline, watched = time.monotonic() + PATIENCE, read(engine, self._study)
        told = False
        while not self._take(watched, overdue=time.monotonic() > deadline):
            if watched and not told:
                self._say(f"looking for {PATIENCE:g} s whether {in_words(watched.holder)} is alive")
                told = True
            time.sleep(min(1.0, BEAT / 3))
            now = read(engine, self._study)
            if now and watched and now != watched and now.holder != NOBODY:
                raise ValueError(
                    f"study {self._study!r} in {without_secrets(self._storage)} is being run by "
                    f"{in_words(now.holder)}; wait for it or stop it first"
                )
            watched = now

    @property
    def is_lost(self) -> bool:
        """Whether another driver has taken the study over."""
        return self._lost

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go of the row."""
        self._ending.set()
        self._thread.join()
        if self._lost:
            raise ValueError(
                f"study {self._study!r} was taken over by another driver, as this one was silent "
                f"for {PATIENCE:g} s; it goes on there"
            ) from error
        try:
            self._replace(Held(self._me, self._beat, 0.0), holder=NOBODY)
        except SQLAlchemyError:
            return  # the next driver waits a little instead
        finally:
            if self._engine is not None:
                self._engine.dispose()

    def _take(self, found: Held | None, *, overdue: bool) -> bool:
        """Whether the row is ours now."""
        if found is None:
            self._beat = 0
            return self._insert()
        if found.holder == NOBODY or overdue or is_dead_here(found.holder):
            self._beat = found.beat + 1
            return self._replace(found, holder=self._me)
        return False

    def _insert(self) -> bool:
        assert self._engine is not None
        row = {"study": self._study, "holder": self._me, "beat": 0, "seen": time.time()}
        try:
            with self._engine.begin() as connection:
                connection.execute(insert_into(DRIVERS).values(row))
        except IntegrityError:
            return False
        return True

    def _replace(self, before: Held, *, holder: str) -> bool:
        """Count on, if the row is still as it was found."""
        assert self._engine is not None
        update = (
            DRIVERS.update()
            .where(DRIVERS.c.study == self._study)
            .where(DRIVERS.c.holder == before.holder)
            .where(DRIVERS.c.beat == before.beat)
            .values(holder=holder, beat=before.beat + 1, seen=time.time())
        )
        with self._engine.begin() as connection:
            return connection.execute(update).rowcount == 1

    def _go_on(self) -> None:
        """Count until the end; while the database is away, nobody writes to the ledger, either."""
        while not self._ending.wait(BEAT):
            try:
                kept = self._replace(Held(self._me, self._beat, 0.0), holder=self._me)
            except SQLAlchemyError:
                continue
            if not kept and not self._ours():
                self._lost = True
                os.kill(os.getpid(), signal.SIGINT)  # as Ctrl-C: trials end, nothing is lost
                return
            self._beat += 1

    def _ours(self) -> bool:
        """Whether the row was counted on by us, in a change whose answer was lost."""
        assert self._engine is not None
        try:
            now = read(self._engine, self._study)
        except SQLAlchemyError:
            return True
        if now is None or now.holder != self._me:
            return False
        self._beat = now.beat - 1
        return True


def open_database(storage: str) -> Engine:
    """The database, with the table of drivers in it.

    Raises:
        ConnectionError: if it does not answer; one sentence.
    """
    try:
        engine = _engine(storage)
        with engine.begin() as connection:
            connection.execute(CreateTable(DRIVERS, if_not_exists=True))
    except (SQLAlchemyError, ImportError) as error:
        if isinstance(error, IntegrityError | ProgrammingError) and has_table(engine):
            return engine  # another driver made the table at the same moment
        raise _unopened(storage, error) from error
    return engine


def _engine(storage: str) -> Engine:
    url = parsed(filled_in(storage))
    sqlite = url.get_backend_name() == "sqlite"
    patience = {"timeout": 30} if sqlite else {"connect_timeout": CONNECT_SECONDS}
    return create_engine(url, connect_args=patience, pool_pre_ping=True)


def _unopened(storage: str, error: Exception) -> ConnectionError:
    first = str(getattr(error, "orig", error)).strip().splitlines()[0]
    return ConnectionError(
        without_secrets(f"storage {storage} does not open ({first}); {remedy(error)}")
    )


def has_table(engine: Engine) -> bool:
    """Whether there is a table of drivers."""
    return inspect(engine).has_table(DRIVERS.name)


def read(engine: Engine, study: str) -> Held | None:
    """The row of a study, if it was ever driven."""
    columns = DRIVERS.c.holder, DRIVERS.c.beat, DRIVERS.c.seen
    with engine.connect() as connection:
        found = connection.execute(
            DRIVERS.select().with_only_columns(*columns).where(DRIVERS.c.study == study)
        ).first()
    return None if found is None else Held(*found)


def driver_in(storage: str, study: str) -> str | None:
    """Who drives a study, for people; None if nobody seems to, or nothing can be said.

    Who looks may lack the right to make tables: a database without one has no drivers.
    """
    try:
        engine = _engine(storage)
        held = read(engine, study)
        engine.dispose()
    except (SQLAlchemyError, ImportError):
        return None
    if held is None or held.holder == NOBODY or is_dead_here(held.holder):
        return None
    return in_words(held.holder) if time.time() - held.seen < PATIENCE else None


def whoami() -> str:
    """This process, so that another one can tell whether it is still there."""
    started = psutil.Process().create_time()
    return json.dumps({**_here(), "pid": os.getpid(), "started": started}, sort_keys=True)


def _here() -> dict[str, str]:
    """This machine since it was started, and this container; empty where Linux does not say it."""
    boot, space = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    found = {"host": platform.node(), "boot": "", "space": ""}
    with suppress(OSError):
        found |= {"boot": boot.read_text().strip(), "space": str(space.readlink())}
    return found


def is_dead_here(holder: str) -> bool:
    """Whether a holder was a process of this machine that is gone; False for other machines."""
    found = json.loads(holder) if holder else {}
    here = _here()
    if not here["boot"] or any(found.get(key) != here[key] for key in ("boot", "space")):
        return False
    try:
        process = psutil.Process(found["pid"])
        another = abs(process.create_time() - float(found["started"])) > 1.0
        return another or bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def in_words(holder: str) -> str:
    """``process 7 on node2``."""
    found = json.loads(holder) if holder else {}
    return f"process {found.get('pid', 'unknown')} on {found.get('host', 'an unknown machine')}"
