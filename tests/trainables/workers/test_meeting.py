"""Where the processes of one run meet."""

import multiprocessing
import os

import psutil
import pytest
import torch
import torch.distributed as dist

from trainables.workers import meeting
from trainables.workers.meeting import INTERFACES, join, listen

HERE = "127.0.0.1"


def listened():
    own = psutil.Process().net_connections("inet")
    return {connection.laddr.ip for connection in own if connection.status == "LISTEN"}


def worker(rank, pipe):
    """One of two: they meet, add their ranks, and say where they listened."""
    place = listen(HERE) if rank == 0 else pipe.recv()
    if rank == 0:
        pipe.send(place)
    join(place, HERE, "gloo", rank=rank, count=2)
    total = torch.tensor([rank + 1.0])
    dist.all_reduce(total)
    pipe.send((total.item(), listened(), [os.environ.get(name) for name in INTERFACES]))


@pytest.mark.slow
def test_two_processes_meet_at_the_address_of_the_first_and_listen_at_no_other():
    start = multiprocessing.get_context("spawn")
    first, second = start.Pipe(), start.Pipe()
    own = [
        start.Process(target=worker, args=(rank, pipe[1]))
        for rank, pipe in enumerate((first, second))
    ]
    for process in own:
        process.start()
    second[0].send(first[0].recv())

    told = [pipe[0].recv() for pipe in (first, second)]
    for process in own:
        process.join()

    assert [total for total, _, _ in told] == [3.0, 3.0]
    assert [places for _, places, _ in told] == [{HERE}, {HERE}]
    assert all(name for _, _, names in told for name in names)


def test_an_address_that_is_not_this_machines_is_listened_for_everywhere(monkeypatch):
    opened = []
    create = meeting.socket.create_server
    monkeypatch.setattr(
        meeting.socket, "create_server", lambda at: opened.append(at) or create((HERE, 0))
    )

    place = listen("192.0.2.7")
    os.close(place.door)

    assert opened == [("", 0)]
    assert place.host == "192.0.2.7"
