"""PostgreSQL with a password, in a folder of its own."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Self

from benchmarks.services.service import HOST, Service, clean_environment, free_port, run_as

USER = "tuner"
DEBIAN = Path("/usr/lib/postgresql")
LAYOUT = ("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync")
OTHERS = ("postgres", "nobody")
"""Who runs it where we are root, as PostgreSQL refuses to be."""


def programs() -> Path | None:
    """The folder with ``initdb`` and ``postgres``: the newest of Debian's, or on the PATH."""
    found = [path.parent for path in DEBIAN.glob("*/bin/initdb")]
    if found:
        return max(found, key=lambda place: int(place.parent.name))
    onpath = shutil.which("initdb")
    return Path(onpath).resolve().parent if onpath else None


class Postgres:
    """A server on a free port of 127.0.0.1, empty but for the databases asked for.

    Args:
        databases: names of the databases to make.

    Attributes:
        password: of its only user; random.
    """

    def __init__(self, *databases: str) -> None:
        self._databases = databases
        self.password = secrets.token_hex(16)
        self.port = free_port()
        self._user = _another_user() if os.geteuid() == 0 else None
        # not below a folder of pytest's, which only its owner may enter
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self._data = self.folder / "data"
        self.service = self._service()

    def __enter__(self) -> Self:
        """Make the databases and start.

        Raises:
            FileNotFoundError: if PostgreSQL is not installed.
            ConnectionError: if it does not start.
        """
        try:
            self._create()
            self.start()
            for name in self._databases:
                self._execute(f"CREATE DATABASE {name}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.service.kill()  # nobody needs what it holds
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def environment(self) -> dict[str, str]:
        """What lets a client in; the URLs hold no password."""
        return {"PGPASSWORD": self.password}

    def url(self, database: str, scheme: str = "postgresql") -> str:
        """Where a database is: ``postgresql://tuner@127.0.0.1:5432/optuna``."""
        return f"{scheme}://{USER}@{HOST}:{self.port}/{database}"

    def dump(self, database: str) -> str:
        """Everything that a database holds, as SQL."""
        command = [(programs() or Path()) / "pg_dump", "--inserts", self.url(database)]
        return subprocess.run(
            command,
            env=clean_environment(**self.environment),
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    def start(self) -> None:
        """Start it, on the port where it was."""
        self.service.start()

    def stop(self) -> None:
        """Stop it as its administrator would for a restart: every connection is cut."""
        self.service.stop()

    def _service(self) -> Service:
        postgres = (programs() or Path()) / "postgres"
        settings = {"listen_addresses": HOST, "port": self.port, "unix_socket_directories": ""}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return Service(
            "PostgreSQL",
            [str(postgres), "-D", str(self._data), *options],
            clean_environment(),
            self.folder / "postgres.log",
            self._answers,
            user=self._user,
            goodbye=signal.SIGINT,  # PostgreSQL's "fast": it waits for nobody
        )

    def _create(self) -> None:
        """Make the data folder, as whoever runs the server."""
        found = programs()
        if found is None:
            raise FileNotFoundError(
                f"PostgreSQL is not installed: no initdb below {DEBIAN} or in PATH"
            )
        secret = self.folder / "password"
        secret.write_text(self.password)
        for path in (self.folder, secret):
            path.chmod(0o700)
            if self._user is not None:
                os.chown(path, self._user, self._user)
        command = [found / "initdb", "-D", self._data, "-U", USER, "--pwfile", secret, *LAYOUT]
        made = subprocess.run(
            list(map(str, command)),
            cwd=self.folder,
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=False,
            **run_as(self._user),
        )
        secret.unlink()
        if made.returncode:
            raise ConnectionError(f"initdb failed: {made.stderr.strip().splitlines()[-1]}")

    def _answers(self) -> bool:
        try:
            self._execute("SELECT 1")
        except ConnectionError:
            return False
        return True

    def _execute(self, statement: str) -> None:
        import psycopg2

        try:
            connection = psycopg2.connect(
                self.url("postgres"), password=self.password, connect_timeout=5
            )
        except psycopg2.OperationalError as error:
            raise ConnectionError(str(error)) from error
        connection.autocommit = True  # CREATE DATABASE is no part of a transaction
        with connection.cursor() as cursor:
            cursor.execute(statement)
        connection.close()


def _another_user() -> int:
    for name in OTHERS:
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            continue
    raise ConnectionError(
        f"PostgreSQL refuses to run as root, and there is no {' or '.join(OTHERS)}"
    )
