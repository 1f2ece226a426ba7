"""The doctor's way to every node of a Ray cluster."""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import ray
from ray import cloudpickle
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from tuner import doctor_probe
from tuner.doctor_facts import Facts, Finding, Need

PATIENCE = 120.0
"""Seconds for a node to start a process, import PyTorch and answer."""
ROUNDS = 5
"""Questions for the time; the quickest answer counts."""


class Question(NamedTuple):
    """What a probe is asked: see ``tuner.doctor_probe.look``."""

    storage: str
    nonce: str
    files: tuple[str, ...]


def connect(address: str | None) -> None:
    """Join the cluster at ``address``, or start a Ray of our own.

    Raises:
        ConnectionError: if none answers there, or it does not take us; one sentence.
    """
    with said_on_stderr() as said:
        try:
            ray.init(address=address or "local", logging_level="ERROR", log_to_driver=False)
        except Exception as error:  # Ray, gRPC and the file system raise their own
            first = " ".join(str(error).split()).partition(". ")[0][:300]
            if "InvalidAuthToken" in said():
                first = "it asks for a token, and ours is missing or another one"
            raise ConnectionError(f"no Ray cluster takes us at {address}: {first}") from error


@contextmanager
def said_on_stderr() -> Iterator[Callable[[], str]]:
    """Keep what Ray's own code writes to stderr, a line a second, from the screen.

    Yields:
        A function of what was written so far.
    """
    with tempfile.TemporaryFile("w+", errors="replace") as kept:

        def said() -> str:
            kept.seek(0)
            return kept.read()

        sys.stderr.flush()
        before = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            yield said
        finally:
            os.dup2(before, 2)
            os.close(before)


def nodes(question: Question) -> tuple[list[Facts], list[Finding]]:
    """What every living node says of itself, and a finding for each that says nothing."""
    cloudpickle.register_pickle_by_value(doctor_probe)
    actor = ray.remote(num_cpus=0)(doctor_probe.Probe)
    alive = [node for node in ray.nodes() if node["Alive"]]
    probes = [actor.options(scheduling_strategy=on(node)).remote() for node in alive]
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
    resources, fit = need.resources, sum(machine.places(need.resources) for machine in machines)
    cpus = sum(machine.ray_cpus or 0 for machine in machines)
    gpus = sum(machine.ray_gpus or 0 for machine in machines)
    asked = f"{resources.cpus:g} cores and {resources.gpus:g} GPUs"
    there = f"{len(machines)} nodes lend {cpus:g} cores and {gpus:g} GPUs"
    if not fit:
        return Finding(
            "resources",
            f"{there}, but none has the {asked} of a trial",
            "lower resources.cpus or resources.gpus in the study, or add such a node",
        )
    at_once = min(fit, resources.max_concurrent)
    limit = " (resources.max_concurrent)" if at_once < fit else ""
    return Finding("resources", f"{there}; trials of {asked} at once: {at_once}{limit}")
