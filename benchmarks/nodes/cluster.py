"""A Ray cluster on a network of namespaces: a head, and nodes that come and go."""

import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from benchmarks.nodes.network import HUB, Network

PORT = 6379
CLIENT_PORT = 10001
RAY = [sys.executable, "-m", "ray.scripts.scripts"]
PATIENCE = 180.0
"""Seconds for a part of Ray to begin or end, on a busy machine."""


class Cluster:
    """A head without cores for trials, and nodes of one core each; all ask for a token.

    Args:
        environment: of all that belongs to the cluster, and of who uses it.
        head: options of ``ray start`` for the head.
    """

    def __init__(self, environment: Mapping[str, str], *head: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # sockets have short paths
        self.network = Network()
        self._head = head
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = {
            **environment,
            "HOME": str(self.folder),  # the token lies there
            "RAY_AUTH_MODE": "token",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_worker_niceness": "0",  # not behind whatever else runs on the machine
        }

    def __enter__(self) -> Self:
        token = self.folder / ".ray" / "auth_token"
        token.parent.mkdir()
        token.write_text(secrets.token_hex(32))
        self.network.__enter__()
        try:
            options = ["--head", "--port", PORT, "--temp-dir", self.folder, "--num-cpus", 0]
            self._start(HUB, *options, "--include-dashboard", "false", *self._head)
            self._wait_until_up(HUB)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.network.__exit__()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def address(self) -> str:
        """What ``--address`` is to be."""
        return f"{self.network.addresses[HUB]}:{PORT}"

    @property
    def nodes(self) -> list[str]:
        """Those that Ray runs on, besides the head."""
        return [name for name, p in self.processes.items() if name != HUB and p.poll() is None]

    def add(self, *names: str) -> None:
        """Let nodes join, one after the other: side by side, they take each other's files."""
        for name in names:
            self.network.add(name)
            self._start(name, "--address", self.address, "--num-cpus", 1)
            self._wait_until_up(name)

    def kill(self, name: str) -> None:
        """SIGKILL to all processes of a node."""
        self.network.kill(name)
        self.processes[name].wait()

    def _start(self, name: str, *options: Any) -> None:
        at = ("--node-ip-address", self.network.addresses[name])
        command = [*RAY, "start", "--block", *options, *at, "--object-store-memory", 100_000_000]
        named = {**self.environment, "CRASH_NODE": name}
        self.processes[name] = self.network.start(name, [*map(str, command)], named, self.log(name))

    def log(self, name: str) -> Path:
        """What ``ray start`` says on a node."""
        return self.folder / f"{name}.log"

    def _wait_until_up(self, name: str) -> None:
        def up() -> bool:
            assert self.processes[name].poll() is None, self.log(name).read_text()
            return "Ray runtime started" in self.log(name).read_text()

        wait_until(up, f"node {name} joins")


def wait_until(true: Callable[[], bool], what: str, patience: float = PATIENCE) -> float:
    """Wait for something; the seconds that it took.

    Raises:
        TimeoutError: if it does not come.
    """
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > patience:
            raise TimeoutError(f"waited {patience:g} s in vain until {what}")
        time.sleep(0.1)
    return time.monotonic() - began
