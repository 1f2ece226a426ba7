"""A Ray cluster of separate processes on this machine, as one would start it by hand."""

import secrets
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from benchmarks.services.service import HOST, Service, clean_environment, free_port, remove

ROOT = Path(__file__).parents[2]
RAY = [sys.executable, "-m", "ray.scripts.scripts"]
OBJECTS = 100_000_000
"""Bytes of a node's object store; Ray's default is 30 % of the machine."""


class Nodes:
    """A head and further nodes, each with one core, that ask for a token.

    Args:
        number: how many, with the head.
        jobs: whether the head has a job server.
        environment: laid over that of everything that belongs to the cluster, and of who uses it.
    """

    def __init__(
        self, number: int, environment: Mapping[str, str] | None = None, *, jobs: bool = False
    ) -> None:
        self._number, self._more, self._has_jobs = number, dict(environment or {}), jobs
        # sockets have short paths
        self.folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
        self.port, self._jobs_port = free_port(), free_port()
        self.nodes: list[Service] = []

    def __enter__(self) -> Self:
        """Start them, the head first.

        Raises:
            ConnectionError: if one does not start.
        """
        token = self.folder / ".ray" / "auth_token"
        token.parent.mkdir()
        token.write_text(secrets.token_hex(32))
        try:
            self._start_head()
            for _ in range(self._number - 1):
                self.add()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for node in reversed(self.nodes):
            node.stop()
        remove(self.folder)

    @property
    def jobs(self) -> str:
        """Address of the job server."""
        return f"http://{HOST}:{self._jobs_port}"

    @property
    def address(self) -> str:
        """What ``tuner run --address`` takes."""
        return f"{HOST}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Of everything that belongs to the cluster, and of whoever uses it."""
        ours = clean_environment()
        return {
            **ours,
            "HOME": str(self.folder),  # Ray's token lies there
            "RAY_AUTH_MODE": "token",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
            "PYTHONPATH": str(ROOT),
            "PATH": f"{Path(sys.executable).parent}:{ours['PATH']}",
            "RAY_worker_niceness": "0",
            **self._more,
        }

    def add(self) -> int:
        """Let another node join; its place in ``nodes``."""
        log = self.folder / f"node-{len(self.nodes)}.log"
        self._start(log, "--address", self.address, ready=lambda: _is_up(log))
        return len(self.nodes) - 1

    def kill(self, place: int) -> None:
        """SIGKILL all processes of a node."""
        self.nodes[place].kill()

    def _start_head(self) -> None:
        options = ["--head", "--port", self.port, "--temp-dir", self.folder]
        options += ["--include-dashboard", self._has_jobs, "--dashboard-port", self._jobs_port]
        log = self.folder / "head.log"
        self._start(log, *options, ready=lambda: _is_up(log) and self._jobs_answer())

    def _start(self, log: Path, *options: Any, ready: Any) -> None:
        command = [*RAY, "start", "--block", "--num-cpus", "1", "--object-store-memory", OBJECTS]
        # by default a fixed one, which the first of the machine's nodes gets
        command += ["--dashboard-agent-listen-port", 0]
        words = [str(word) for word in (*command, *options)]
        own = {"CRASH_NODE": log.stem, "TUNER_CACHE": str(self.folder / f"cache-{log.stem}")}
        node = Service("a Ray node", words, {**self.environment, **own}, log, ready)
        self.nodes.append(node)
        node.start()

    def _jobs_answer(self) -> bool:
        if not self._has_jobs:
            return True
        try:
            urllib.request.urlopen(self.jobs + "/api/version", timeout=2)
        except urllib.error.HTTPError:
            return True  # it answers that a token is missing
        except OSError:
            return False
        return True

    def tuner(
        self, folder: Path, *arguments: Any, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a verb in a folder to its end."""
        return subprocess.run(
            [sys.executable, "-m", "tuner", *map(str, arguments)],
            cwd=folder,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )


def _is_up(log: Path) -> bool:
    return log.exists() and "runtime started" in log.read_text(errors="replace")
