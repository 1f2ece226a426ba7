"""The doctor's way to every node of a Ray cluster."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

import ray
from ray import cloudpickle
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from trainables.workers.own_ray import closed_to_others
from tuner.doctor import probe as doctor_probe
from tuner.doctor.checks import SHARED_MEMORY
from tuner.doctor.facts import Facts, Finding, Need
from tuner.study import counted

CONNECT_PATIENCE = 60.0
"""Seconds for a cluster to take us."""
TRY = """
import sys, ray
try:
    ray.init(address=sys.argv[1], logging_level=50, log_to_driver=False)
except Exception as error:
    sys.exit(print(" ".join(str(error).split())) or 1)
"""
PATIENCE = 120.0
"""Seconds for a node to start a process, import PyTorch and answer."""
ROUNDS = 5
"""Questions for the time; the quickest answer counts."""


class Question(NamedTuple):
    """What a probe is asked: see ``tuner.doctor.probe.look``."""

    storage: str
    nonce: str
    files: tuple[str, ...]


def connect(address: str | None) -> None:
    """Join the cluster at ``address``, or start a Ray of our own.

    Raises:
        ConnectionError: if none answers there, or it does not take us; one sentence.
    """
    if address is not None and (reason := refusal(address)):
        raise ConnectionError(f"no Ray cluster takes us at {address}: {reason}")
    own: dict[str, Any] = {"include_dashboard": False, "object_store_memory": SHARED_MEMORY}
    with nullcontext() if address else closed_to_others(ray):
        ray.init(
            address=address or "local",
            logging_level=logging.ERROR,
            log_to_driver=False,
            **({} if address else own),
        )


def refusal(address: str) -> str:
    """Why a cluster cannot be joined; an empty string if it can.

    Tried in another process: Ray waits for ever for a head that is half dead, and deaf to signals.
    """
    environment = {**os.environ, "RAY_BACKEND_LOG_LEVEL": "warning"}
    try:
        tried = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", TRY, address],
            env=environment,
            capture_output=True,
            text=True,
            timeout=CONNECT_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it does not answer within {CONNECT_PATIENCE:g} s"
    if tried.returncode == 0:
        return ""
    if "InvalidAuthToken" in tried.stderr:
        return "it asks for a token, and ours is missing or another one"
    said = tried.stdout.strip().partition(". ")[0]
    return said[:300] or f"Ray ended with code {tried.returncode}"


def nodes(question: Question) -> tuple[list[Facts], list[Finding]]:
    """What every living node says of itself, and a finding for each that says nothing."""
    cloudpickle.register_pickle_by_value(doctor_probe)  # type: ignore[no-untyped-call]
    actor: Any = ray.remote(num_cpus=0)(doctor_probe.Probe)
    alive = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    probes: list[Any] = [actor.options(scheduling_strategy=on(node)).remote() for node in alive]
    answers = [probe.look.remote(*question) for probe in probes]
    facts, silent = [], []
    deadline = time.monotonic() + PATIENCE
    for node, probe, answer in zip(alive, probes, answers, strict=True):
        try:
            seen = ray.get(answer, timeout=max(1.0, deadline - time.monotonic()))
            facts.append(known(node, seen, *clock_skew(probe)))
        except (RayError, GetTimeoutError) as error:
            silent.append(silence(node, error))
    return facts, silent


def on(node: dict[str, Any]) -> NodeAffinitySchedulingStrategy:
    """That node and no other."""
    return NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)


def name(node: dict[str, Any]) -> str:
    """``node 10.0.0.3 (1f2e3d4c)``: two nodes may share an address."""
    return f"node {node['NodeManagerAddress']} ({node['NodeID'][:8]})"


def known(node: dict[str, Any], seen: dict[str, Any], skew: float, to: float) -> Facts:
    """What a node says of itself, with what Ray and our clock say of it."""
    lent = node["Resources"]
    return Facts(
        name=name(node),
        ray_cpus=lent.get("CPU", 0.0),
        ray_gpus=lent.get("GPU", 0.0),
        skew=skew,
        skew_known_to=to,
        **seen,
    )


def clock_skew(probe: Any) -> tuple[float, float]:
    """Seconds that a node's clock is ahead of ours, and half the round trip of that answer.

    The quickest of several answers: its true time lies within its round trip.
    """
    samples = []
    for _ in range(ROUNDS):
        asked = time.time()
        theirs = ray.get(probe.clock.remote(), timeout=PATIENCE)
        answered = time.time()
        samples.append(((answered - asked) / 2, theirs - (asked + answered) / 2))
    half, skew = min(samples)
    return skew, half


def silence(node: dict[str, Any], error: Exception) -> Finding:
    """A node that does not answer."""
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return Finding(
        "nodes",
        f"{name(node)} does not answer ({reason})",
        "look at it with ray status, and start Ray there again",
    )


def authentication() -> Finding:
    """Whether the cluster that we have joined asks for a token."""
    if os.environ.get("RAY_AUTH_MODE", "").lower() == "token":
        return Finding("access", "only who has the token may use the cluster")
    return Finding(
        "access",
        "who reaches the cluster may run any code on it",
        "set RAY_AUTH_MODE=token on all nodes and give them one token (ray get-auth-token)",
    )


def places(machines: Sequence[Facts], need: Need) -> Finding:
    """How many trials the cluster can run at once."""
    resources = need.resources
    fit = sum(machine.places(resources) for machine in machines) // resources.workers
    cpus = sum(machine.ray_cpus or 0 for machine in machines)
    gpus = sum(machine.ray_gpus or 0 for machine in machines)
    there = (
        f"{counted(cpus, 'core')} and {counted(gpus, 'GPU')} on {counted(len(machines), 'node')}"
    )
    if not fit:
        return Finding(
            "resources",
            f"{there}, but none has the {resources} of a trial",
            "lower resources.cpus, resources.gpus or resources.workers, or add such a node",
        )
    at_once = min(fit, resources.max_concurrent)
    limit = " (resources.max_concurrent)" if at_once < fit else ""
    return Finding("resources", f"{there}; trials of {resources} at once: {at_once}{limit}")
