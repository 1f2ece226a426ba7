"""A server in a process of its own, which can be stopped, killed and started again."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

HOST = "127.0.0.1"


@dataclass
class Service:
    """One server; it is not running until ``start``.

    Attributes:
        name: what it is called in errors.
        command: its command line; no secrets, as everybody can read it.
        environment: of the server, whole.
        log: where its words go.
        ready: whether it answers.
        user: whom it runs as, if not as us.
        goodbye: the signal that ends it in good order.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    ready: Callable[[], bool]
    user: int | None = None
    goodbye: signal.Signals = signal.SIGTERM
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self, patience: float = 120) -> None:
        """Start it and wait until it answers.

        Args:
            patience: seconds to wait.

        Raises:
            ConnectionError: if it ends or does not answer in time; with its last words.
        """
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                list(self.command),
                cwd=self.log.parent,
                env=dict(self.environment),
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for whoever started us
                **run_as(self.user),
            )
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline and self.alive:
            if self.ready():
                return
            time.sleep(0.1)
        self.kill()
        said = self.log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
        raise ConnectionError(f"{self.name} did not start: {said[-1]}")

    @property
    def alive(self) -> bool:
        """Whether its first process runs."""
        return self.process is not None and self.process.poll() is None

    def stop(self, patience: float = 20) -> None:
        """Ask it to end; kill what is left after some seconds."""
        family = self.family()
        if self.process is not None and self.alive:
            self.process.send_signal(self.goodbye)
        _, left = psutil.wait_procs(family, timeout=patience)
        self._kill(left)

    def kill(self) -> None:
        """SIGKILL all its processes and wait until they are gone."""
        self._kill(self.family())

    def family(self) -> list[psutil.Process]:
        """Its processes, the first one last."""
        if self.process is None:
            return []
        try:
            first = psutil.Process(self.process.pid)
            return [*first.children(recursive=True), first]
        except psutil.NoSuchProcess:
            return []

    def _kill(self, family: list[psutil.Process]) -> None:
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=20)
        if self.process is not None:
            self.process.wait()


def run_as(user: int | None) -> dict[str, Any]:
    """What makes ``subprocess`` run something as another user, if one is named."""
    return {} if user is None else {"user": user, "group": user, "extra_groups": []}


def free_port() -> int:
    """A port of this machine that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def clean_environment(**more: str) -> dict[str, str]:
    """Our environment without anything that gets us into a database or a bucket."""
    ours = {
        name: value for name, value in os.environ.items() if not name.startswith(("PG", "AWS_"))
    }
    return {**ours, **more}
