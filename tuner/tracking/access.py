"""Who gets at a server of MLflow that we start: this machine, or whoever has a password."""

import ipaddress
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import psutil

from tuner.tracking.client import SQLITE

THIS_MACHINE, EVERYWHERE = "127.0.0.1", "0.0.0.0"
KEY, PASSWORD = "MLFLOW_FLASK_SERVER_SECRET_KEY", "MLFLOW_AUTH_ADMIN_PASSWORD"
CONFIG = "MLFLOW_AUTH_CONFIG_PATH"
HOSTS, ORIGINS = "MLFLOW_SERVER_ALLOWED_HOSTS", "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"

USERS = """[mlflow]
default_permission = READ
database_uri = {users}
admin_username = admin
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = 60
"""
"""MLflow's settings of logins where the user has none: others than the admin only read."""


class Access(NamedTuple):
    """How ``mlflow server`` is started.

    Attributes:
        options: of its command line.
        environment: of its process, besides ours.
    """

    options: list[str]
    environment: dict[str, str]


def is_this_machine(host: str) -> bool:
    """Whether a server that listens at ``host`` is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def access_to(uri: str, host: str) -> Iterator[Access]:
    """What the server needs to be told, for as long as it runs.

    Only requests that name this machine are answered: a page of another site whose name is
    pointed at this machine (DNS rebinding) gets nothing.

    Args:
        uri: the store.
        host: the address to listen at.

    Raises:
        ValueError: if other machines would get in without a password, or it is no address for us.
    """
    if ":" in host:
        raise ValueError(f"--host must be an IPv4 address or a name, got {host}")
    names = _names(host)
    environment = {HOSTS: ",".join(each for name in names for each in (name, f"{name}:*"))}
    environment[ORIGINS] = ",".join(f"http://{name}" for name in names)
    environment |= {name: os.environ[name] for name in environment if name in os.environ}
    if is_this_machine(host):
        yield Access(["--host", host], environment)
        return
    require_login(host)
    with TemporaryDirectory(prefix="tuner-ui-") as folder:
        if CONFIG not in os.environ:
            config = Path(folder) / "basic_auth.ini"
            users = _users(uri)
            users.touch(mode=0o600)  # it will hold hashes of passwords
            config.write_text(USERS.format(users=f"{SQLITE}{users.as_posix()}"))
            environment[CONFIG] = str(config)
        yield Access(["--host", host, "--app-name", "basic-auth"], environment)


def require_login(host: str) -> None:
    """See that MLflow will ask for a password.

    Raises:
        ValueError: if it would not, or could not start.
    """
    if KEY not in os.environ or not {PASSWORD, CONFIG} & os.environ.keys():
        raise ValueError(
            f"--host {host} lets other machines in, where anyone may read, change and delete every "
            f"run; set {PASSWORD} (or {CONFIG}) and {KEY}, so that MLflow asks for a login, or "
            "leave --host out and look through ssh -L 5000:127.0.0.1:5000"
        )
    if find_spec("flask_wtf") is None:
        raise ValueError(
            f"--host {host} needs MLflow's login, which needs Flask-WTF; install it beside the "
            "tuner with: pip install 'mlflow[auth]'"
        )


def _users(uri: str) -> Path:
    """Beside a database of our own; of any other store, in the current folder."""
    own = Path(uri.removeprefix(SQLITE)) if uri.startswith(SQLITE) else Path("mlflow.db")
    return own.resolve().with_name("mlflow-users.db")


def _names(host: str) -> list[str]:
    """What requests may call the server: its own address, or all of this machine's."""
    names = ["localhost", THIS_MACHINE]
    if is_this_machine(host):
        return names
    if host != EVERYWHERE:
        return [*names, host]
    cards = psutil.net_if_addrs().values()
    own = [found.address for card in cards for found in card if found.family == socket.AF_INET]
    return list(dict.fromkeys([*names, socket.gethostname(), socket.getfqdn(), *own]))
