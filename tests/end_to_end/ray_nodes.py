"""A Ray cluster of separate processes on this machine, as one would start it by hand."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[2]
RAY = [sys.executable, "-m", "ray.scripts.scripts"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Nodes:
    """A head and a second node, each with one core, that ask for a token."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # sockets have short paths
        self.port, self.jobs_port = free_port(), free_port()
        self.processes = []

    @property
    def jobs(self):
        return f"http://127.0.0.1:{self.jobs_port}"

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def environment(self):
        """Of everything that belongs to the cluster, and of whoever uses it."""
        return {
            **os.environ,
            "HOME": str(self.folder),  # Ray's token lies there
            "RAY_AUTH_MODE": "token",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
            "PYTHONPATH": str(ROOT),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "RAY_worker_niceness": "0",
        }

    def start(self):
        token = self.folder / ".ray" / "auth_token"
        token.parent.mkdir()
        token.write_text(secrets.token_hex(32))
        head = ["--head", "--port", self.port, "--dashboard-port", self.jobs_port]
        self._start("head", *head, "--temp-dir", self.folder)
        self._wait(self.answers)
        self._start("node", "--address", self.address)
        self._wait(lambda: "Ray runtime started" in (self.folder / "node.log").read_text())

    def _start(self, name, *arguments):
        command = [*RAY, "start", "--block", "--num-cpus", "1", *map(str, arguments)]
        with (self.folder / f"{name}.log").open("w") as log:
            self.processes.append(
                subprocess.Popen(
                    [*command, "--object-store-memory", "100000000"],
                    env=self.environment,
                    stdout=log,
                    stderr=log,
                )
            )

    def _wait(self, ready):
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline and all(p.poll() is None for p in self.processes):
            if ready():
                return
            time.sleep(0.2)
        raise TimeoutError("".join(log.read_text() for log in self.folder.glob("*.log")))

    def answers(self):
        try:
            urllib.request.urlopen(self.jobs + "/api/version", timeout=2)
        except urllib.error.HTTPError:
            return True  # it answers that a token is missing
        except OSError:
            return False
        return True

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            process.wait(120)
        shutil.rmtree(self.folder, ignore_errors=True)

    def tuner(self, folder, *arguments, **environment):
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
