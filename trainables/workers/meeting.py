"""Where the processes of one run meet: at the address of the first one's node, and at no other.

PyTorch by itself listens at every address of a machine, and Gloo at the one that the machine's name
stands for; neither asks who comes, and some of what they exchange is unpickled.
"""

import os
import socket
from datetime import timedelta
from typing import NamedTuple

import psutil
import torch.distributed as dist

LONGEST_WAIT = timedelta(hours=24)
"""For which one process waits for another: while the first reads a checkpoint, say."""

INTERFACES = "GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"
"""Variables that say through which network the processes exchange tensors."""


class Place(NamedTuple):
    """Where the first process listens.

    Attributes:
        host: its node's address.
        port: a free one.
        door: the socket, a number that means something to that process alone.
    """

    host: str
    port: int
    door: int


def listen(address: str) -> Place:
    """Open the place of a run, in its first process.

    Args:
        address: of its node. Where it is that of a machine around this one (a container's host, of
            which a port is passed on), this one listens at all of its own.
    """
    door = socket.create_server((address if _interface(address) else "", 0))
    return Place(address, door.getsockname()[1], door.detach())


def join(place: Place, address: str, backend: str, *, rank: int, count: int) -> None:
    """Become one of ``count`` processes that exchange tensors.

    Args:
        place: of the run.
        address: of this process's node.
        backend: PyTorch's ``gloo`` or ``nccl``.
        rank: of this process, from 0.
        count: of processes.
    """
    if interface := _interface(address):
        for variable in INTERFACES:
            os.environ.setdefault(variable, interface)
    store = dist.TCPStore(  # type: ignore[attr-defined]
        place.host,
        place.port,
        count,
        is_master=rank == 0,
        timeout=LONGEST_WAIT,
        master_listen_fd=place.door if rank == 0 else None,
    )
    dist.init_process_group(backend, store=store, rank=rank, world_size=count, timeout=LONGEST_WAIT)


def _interface(address: str) -> str | None:
    """The network of this machine that has the address."""
    cards = psutil.net_if_addrs().items()
    return next((name for name, own in cards if address in {one.address for one in own}), None)
