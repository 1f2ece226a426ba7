"""MLflow's own web server for a study's database, for as long as somebody looks at it."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psutil

from trainables.redaction import without_secrets
from tuner.secrets import filled_in
from tuner.tracking.access import EVERYWHERE, THIS_MACHINE, Access, access_to
from tuner.tracking.client import SQLITE, connect, is_server

FIRST_PORT = 5000
QUIET = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # 2 processes instead of 15
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


@contextmanager
def serve(
    uri: str, port: int | None = None, *, host: str = THIS_MACHINE, timeout: float = 120
) -> Iterator[str]:
    """The address of a server of the store, which runs until the block is left.

    Args:
        uri: the store; if it is itself a server, none is started.
        port: the port to listen on; by default 5000, or any free one if that is taken.
        host: the address to listen at; any but this machine's own needs settings for a login.
        timeout: seconds for the server to answer.

    Yields:
        The server's address: ``http://127.0.0.1:5000``.

    Raises:
        ValueError: if the given port is taken, or other machines would get in without a password.
        ConnectionError: if the store does not open, or the server does not answer in time.
    """
    if is_server(uri):
        yield uri.rstrip("/")
        return
    with access_to(uri, host) as access, tempfile.TemporaryFile() as log:
        number = _port(port, host)
        base = f"http://{THIS_MACHINE if host == EVERYWHERE else host}:{number}"
        connect(uri)  # a fresh database is created under a lock, which the server does not take
        server = _start(uri, number, access, log)
        try:
            _wait(server, base, log, timeout=timeout)
            yield base
        finally:
            _stop(server)


def default_address() -> str | None:
    """Where ``serve`` would have its server if it began now; None if that cannot be foretold."""
    free = _is_free(FIRST_PORT, THIS_MACHINE)
    return f"http://{THIS_MACHINE}:{FIRST_PORT}" if free else None


def _port(wanted: int | None, host: str) -> int:
    if _is_free(wanted or FIRST_PORT, host):
        return wanted or FIRST_PORT
    if wanted is not None:
        raise ValueError(f"port {wanted} is taken; name another one, or none to get a free one")
    with socket.socket() as any_port:
        any_port.bind((host, 0))
        return int(any_port.getsockname()[1])


def _is_free(port: int, host: str) -> bool:
    with socket.socket() as probe:
        # As servers do: a port that a stopped server has just left counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def _start(uri: str, port: int, access: Access, log: IO[bytes]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "mlflow", "server", *access.options]
    command += ["--port", str(port), "--workers", "1"]
    if uri.startswith(SQLITE):
        artifacts = Path(uri.removeprefix(SQLITE)).with_name("mlartifacts")
        command += ["--artifacts-destination", artifacts.as_uri()]
    # a password in the URI would be seen on the command line by every user of the machine
    store = {"MLFLOW_BACKEND_STORE_URI": filled_in(uri)}
    environment = os.environ | QUIET | access.environment | store
    return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


def _wait(server: subprocess.Popen[bytes], base: str, log: IO[bytes], *, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline and server.poll() is None:
        if _answers(base) and _listens(server, int(base.rpartition(":")[2])):
            return
        time.sleep(0.1)
    log.seek(0)
    said = log.read().decode(errors="replace").strip().splitlines() or ["it said nothing"]
    why = without_secrets(said[-1])
    raise ConnectionError(f"the MLflow server at {base} did not start: {why}")


def _answers(base: str) -> bool:
    try:
        with urllib.request.urlopen(f"{base}/health", timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def _listens(server: subprocess.Popen[bytes], port: int) -> bool:
    """Whether it is our server that answers: another one may have taken the port meanwhile."""
    try:
        own = psutil.Process(server.pid)
        family = [own, *own.children(recursive=True)]
        return any(c.laddr.port == port for p in family for c in p.net_connections() if c.laddr)
    except psutil.NoSuchProcess:  # a worker of it, just now; it is asked again
        return False


def _stop(server: subprocess.Popen[bytes]) -> None:
    """End the server and its workers, first asking, then forcing."""
    try:
        family = psutil.Process(server.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    server.terminate()
    _, left = psutil.wait_procs(family, timeout=5)
    for process in left:
        process.kill()
    try:
        server.wait(timeout=5)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
