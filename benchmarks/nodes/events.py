"""What may happen to a node while it trains, and what each costs the trial on it."""

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import psutil

from benchmarks.crashes.driver import command_line
from benchmarks.nodes.cluster import RAY, Cluster, wait_until
from benchmarks.nodes.network import HUB
from benchmarks.nodes.study import Event, Study

YOUNG = 0.8
"""Share of its epochs that a trial may have behind it when something happens to its node."""
WELL_AFTER = 3
"""Epochs that a trial saves after an event before the next one comes."""
AT_ONCE = 0.5
"""Seconds in which what was already on its way may still arrive."""


class Blow(NamedTuple):
    """Something that happens to a node.

    Attributes:
        happen: does it.
        lost: whether the node does not come back from it.
        prepare: what comes before, while trials go on.
    """

    name: str
    happen: Callable[[str], None]
    lost: bool = True
    prepare: Callable[[str], None] = lambda _: None


class Cost(NamedTuple):
    """What a blow cost.

    Attributes:
        seconds: from then until the trial began an epoch again.
        epochs: that were begun again.
        where: the node on which the trial went on.
    """

    event: str
    trial: int
    seconds: float
    epochs: int
    where: str


def endure(study: Study, blow: Blow) -> Cost:
    """Strike the node that has just saved an epoch, and wait until its trial is well again."""
    node = study.newest().node
    blow.prepare(node)
    wait_until(lambda: _is_young(study, node), f"a trial on {node} has a while to go")
    trial, again, then = _training(study, node).trial, study.trained_again(), time.time()
    blow.happen(node)

    def went_on() -> list[Event]:
        later = [e for e in study.traced("begun") if e.time > then + AT_ONCE]
        return [e for e in later if e.trial == trial and not (blow.lost and e.node == node)]

    def is_well() -> bool:
        saved = [e for e in study.traced("saved") if e.time > went_on()[0].time]
        return sum(event.trial == trial for event in saved) >= WELL_AFTER

    wait_until(lambda: bool(went_on()), f"trial {trial} goes on after its node was {blow.name}")
    wait_until(is_well, f"trial {trial} is well after its node was {blow.name}")
    first = went_on()[0]
    costs = (round(first.time - then, 1), study.trained_again() - again)
    return Cost(blow.name, trial, *costs, first.node)


def _training(study: Study, node: str) -> Event:
    """The epoch that was last begun on a node."""
    return [event for event in study.traced("begun") if event.node == node][-1]


def _is_young(study: Study, node: str) -> bool:
    return _training(study, node).epoch < YOUNG * study.epochs


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


FIND = """
import sys, ray
ray.init(address=sys.argv[1], logging_level=50, log_to_driver=False)
print([n["NodeID"] for n in ray.nodes() if n["NodeManagerAddress"] == sys.argv[2]][-1])
"""


def give_notice(cluster: Cluster, node: str, seconds: int) -> None:
    """Tell Ray that a node will be taken away, as a spot machine's own notice would."""
    find = [sys.executable, "-c", FIND, cluster.address, cluster.network.addresses[node]]
    # without its id, a node that cannot tell which address is its own gives notice of the head
    node_id = _said(cluster, f"{node}-id", find).split()[-1]
    whom = ("--address", cluster.address, "--node-id", node_id)
    reason = ("--reason", "DRAIN_NODE_REASON_PREEMPTION", "--reason-message", "spot")
    deadline = ("--deadline-remaining-seconds", str(seconds))
    _said(cluster, f"{node}-notice", [*RAY, "drain-node", *whom, *reason, *deadline])


def _said(cluster: Cluster, name: str, command: list[str]) -> str:
    """What a command says on the head."""
    log = cluster.log(name)
    process = cluster.network.start(HUB, command, cluster.environment, log)
    assert process.wait(120) == 0, log.read_text()
    return log.read_text()
