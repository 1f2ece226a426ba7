"""What may happen to a node while it trains, and what each costs the trial on it."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from typing import NamedTuple

import psutil

from benchmarks.crashes.driver import command_line
from benchmarks.nodes.cluster import RAY, Cluster, wait_until
from benchmarks.nodes.study import Event, Study

TIMES_UNTIL_SOUND = 3
"""Epochs that a trial saves after an event before the next one comes."""


class Cost(NamedTuple):
    """What an event cost.

    Attributes:
        seconds: from the event until the trial began an epoch again.
        epochs: that were begun again.
        where: the node on which the trial went on.
    """

    event: str
    trial: int
    seconds: float
    epochs: int
    where: str


def endure(study: Study, event: str, happen: Callable[[str], None]) -> Cost:
    """Let something happen to the node that has just saved an epoch, and wait for its trial."""
    wait_until(lambda: study.traced("saved") != [], "an epoch is saved")
    hit = study.newest()
    before, began = study.trained_again(), time.time()
    happen(hit.node)

    def went_on() -> list[Event]:
        return [e for e in study.traced("begun") if e.trial == hit.trial and e.time > began + 1]

    wait_until(lambda: bool(went_on()), f"trial {hit.trial} goes on after: {event}")
    first = went_on()[0]
    seconds = first.time - began
    wait_until(lambda: _sound(study, first), f"trial {hit.trial} is well after: {event}")
    return Cost(event, hit.trial, round(seconds, 1), study.trained_again() - before, first.node)


def _sound(study: Study, first: Event) -> bool:
    since = [e for e in study.traced("saved") if e.trial == first.trial and e.time > first.time]
    return len(since) >= TIMES_UNTIL_SOUND


def cut_for(cluster: Cluster, seconds: float) -> Callable[[str], None]:
    """Pull the cable of a node for some time."""

    def happen(node: str) -> None:
        cluster.network.cut(node)
        time.sleep(seconds)
        cluster.network.mend(node)

    return happen


def stop_training(cluster: Cluster, node: str) -> list[int]:
    """Hold the processes that train on a node, as a machine does that stalls; their ids."""
    found = [
        process
        for process in cluster.network.processes(node)
        if "Trainable" in command_line(psutil.Process(process))
    ]
    for process in found:
        os.kill(process, signal.SIGSTOP)
    return found


def let_train(processes: list[int]) -> None:
    """Let them go on."""
    for process in processes:
        os.kill(process, signal.SIGCONT)


def give_notice(cluster: Cluster, node: str, seconds: int) -> None:
    """Tell Ray that a node will be taken away, as a spot machine's own notice would."""
    reason = ("--reason", "DRAIN_NODE_REASON_PREEMPTION", "--reason-message", "spot")
    command = [*RAY, "drain-node", "--address", cluster.address, *reason]
    deadline = ("--deadline-remaining-seconds", str(seconds))
    log = cluster.log(f"{node}-notice")
    told = cluster.network.start(node, [*command, *deadline], cluster.environment, log)
    assert told.wait(120) == 0, log.read_text()


def take_away(cluster: Cluster, node: str) -> None:
    """SIGTERM to Ray's processes on a node, as a system that shuts down sends it."""
    cluster.processes[node].send_signal(signal.SIGTERM)
    try:
        cluster.processes[node].wait(20)
    except subprocess.TimeoutExpired:
        cluster.kill(node)
