"""A network of network namespaces: hosts with addresses of their own, whose cables can be pulled.

All lies in the namespaces: the machine's own network is not touched, and what two of these
networks do is hidden from each other. Needs root on Linux, and ``ip`` of iproute2.
"""

import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

HUB = "head"
"""The host that the others are wired to."""
SUBNET = "10.77.0"


def obstacle() -> str:
    """Why there can be no such network here, in words; an empty string if there can."""
    if not shutil.which("ip"):
        return "network namespaces need the command ip (iproute2), which is not installed"
    if os.geteuid():
        return "network namespaces need root"
    try:
        with Network() as network:
            network.add("probe")
    except OSError as error:
        return f"network namespaces are not permitted here ({error})"
    return ""


class Network:
    """A hub and hosts, each with an address and processes of its own; gone at the end.

    A context manager: at the end all processes are killed and the namespaces removed.
    """

    def __init__(self) -> None:
        self._name = f"tuner-{secrets.token_hex(3)}"
        self.addresses: dict[str, str] = {}
        self._started: list[tuple[str, subprocess.Popen[bytes]]] = []

    def __enter__(self) -> Self:
        try:
            self._add_namespace(HUB, f"{SUBNET}.1")
            self._ip(HUB, "link", "add", "name", "lan", "type", "bridge")
            self._ip(HUB, "address", "add", f"{self.addresses[HUB]}/24", "dev", "lan")
            self._ip(HUB, "link", "set", "lan", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for host in list(self.addresses):
            self.remove(host)

    def add(self, host: str) -> str:
        """A new host, wired to the hub; its address."""
        address = f"{SUBNET}.{len(self.addresses) + 1}"
        self._add_namespace(host, address)
        theirs = ("peer", "name", "eth0", "netns", self._namespace(host))
        self._ip(HUB, "link", "add", "name", host, "type", "veth", *theirs)
        self._ip(HUB, "link", "set", "dev", host, "master", "lan", "up")
        self._ip(host, "address", "add", f"{address}/24", "dev", "eth0")
        self._ip(host, "link", "set", "eth0", "up")
        return address

    def remove(self, host: str) -> None:
        """Kill whatever runs on a host, and take it away."""
        self.kill(host)
        for where, process in self._started:
            if where == host:
                process.wait()
        del self.addresses[host]
        _run("ip", "netns", "delete", self._namespace(host))

    def cut(self, host: str) -> None:
        """Pull the cable: nothing is sent or received any more, and nobody is told."""
        self._ip(HUB, "link", "set", "dev", host, "down")

    def mend(self, host: str) -> None:
        """Put the cable back."""
        self._ip(HUB, "link", "set", "dev", host, "up")

    def start(
        self, host: str, command: list[str], environment: Mapping[str, str], log: Path
    ) -> "subprocess.Popen[bytes]":
        """Start a command on a host, in a session of its own."""
        with log.open("ab") as file:
            process = subprocess.Popen(
                [*self.on(host), *command],
                env=dict(environment),
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        self._started.append((host, process))
        return process

    def on(self, host: str, *, machine: bool = False) -> list[str]:
        """What has to stand before a command for it to run on a host.

        Args:
            machine: with a process table and a ``/tmp`` of its own, as on another machine.
        """
        prefix = ["ip", "netns", "exec", self._namespace(host)]
        if machine:
            prefix += ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c"]
            prefix += ['mount -t tmpfs none /tmp && exec "$@"', "--"]
        return prefix

    def processes(self, host: str) -> list[int]:
        """Ids of all processes on a host."""
        return [int(line) for line in _run("ip", "netns", "pids", self._namespace(host)).split()]

    def kill(self, host: str) -> None:
        """SIGKILL to all processes of a host, as when its power goes."""
        while processes := self.processes(host):  # one may be starting another
            for process in processes:
                _kill(process)
            time.sleep(0.02)

    def _add_namespace(self, host: str, address: str) -> None:
        _run("ip", "netns", "add", self._namespace(host))
        self.addresses[host] = address
        self._ip(host, "link", "set", "lo", "up")

    def _namespace(self, host: str) -> str:
        return f"{self._name}-{host}"

    def _ip(self, host: str, *arguments: str) -> None:
        _run("ip", "-n", self._namespace(host), *arguments)


def _kill(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return  # it ended by itself


def _run(*command: str) -> str:
    """What a command prints.

    Raises:
        OSError: with what it complains about, if it fails.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(done.stderr.strip() or f"{command[0]} ended with code {done.returncode}")
    return done.stdout
