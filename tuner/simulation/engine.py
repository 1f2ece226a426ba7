"""A study on simulated GPUs: the same searcher and scheduler objects, recorded learning curves.

An event heap takes the place of Ray. Time, failures and start-up costs are simulated; what is
proposed, stored, compared and stopped is done by the objects that a real run uses, or by any other
searcher and scheduler that speak Ray's protocol.
"""

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from tuner.records import Metrics
from tuner.simulation.curves import SECONDS


@dataclass(frozen=True)
class Cluster:
    """What the trials run on; times in seconds.

    Attributes:
        slots: trials at the same time.
        start_up: before the first epoch of a process; a process serves one trial after another.
        speed: epochs take their recorded seconds divided by this.
        slots_per_node: slots that fail together.
        mean_time_between_failures: of one node; None: nodes do not fail.
        repair: until a failed node is back.
        failure_seed: of the moments.
    """

    slots: int
    start_up: float = 8.0
    speed: float = 1.0
    slots_per_node: int = 8
    mean_time_between_failures: float | None = None
    repair: float = 600.0
    failure_seed: int = 0

    @property
    def nodes(self) -> int:
        """How many nodes hold the slots."""
        return -(-self.slots // self.slots_per_node)


class Arm(Protocol):
    """A way to search: Ray's two roles, and how configs and results look to them."""

    searcher: Any
    scheduler: Any

    def config(self, suggested: Mapping[str, Any]) -> Mapping[str, Any]:
        """The whole trial config of what the searcher suggested."""

    def result(self, report: Metrics, *, done: bool) -> dict[str, Any]:
        """A report as the scheduler expects it."""

    def ended(self, trial: "SimulatedTrial", result: dict[str, Any], *, stopped: bool) -> None:
        """A trial has reported for the last time."""


@dataclass(eq=False)
class SimulatedTrial:
    """As much of a Ray trial as searchers and schedulers look at.

    Attributes:
        trial_id: as of Ray.
        config: what the searcher suggested.
        reports: of its whole training, if it is let.
        epoch: epochs that were reported.
        gpu_seconds: used so far, lost epochs and start-ups included.
        ended: when, in seconds; None while it runs.
        stopped: whether it ended before its last epoch.
    """

    trial_id: str
    config: dict[str, Any]
    reports: list[Metrics]
    epoch: int = 0
    gpu_seconds: float = 0.0
    ended: float | None = None
    stopped: bool = False
    status: str = "RUNNING"
    last_result: dict[str, Any] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether it trained to its last epoch."""
        return self.ended is not None and not self.stopped


@dataclass
class Slot:
    """A place for one trial; ``version`` changes whenever what it does is interrupted."""

    node: int
    warm: bool = False
    down: bool = False
    trial: SimulatedTrial | None = None
    version: int = 0


class Simulation:
    """Runs an arm on a cluster.

    Args:
        arm: who proposes and who stops.
        cluster: where.
        run: reports of a config and a seed, as ``Curves.run``.
        seed: added to the seed of every config: another world.
    """

    def __init__(
        self,
        arm: Arm,
        cluster: Cluster,
        run: Callable[[Mapping[str, Any], int], list[Metrics]],
        *,
        seed: int = 0,
    ) -> None:
        self._arm, self._cluster, self._run, self._seed = arm, cluster, run, seed
        self.now = 0.0
        self.trials: list[SimulatedTrial] = []
        self._slots = [Slot(i // cluster.slots_per_node) for i in range(cluster.slots)]
        self._waiting: deque[SimulatedTrial] = deque()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._finished = False
        self._failures = np.random.default_rng(cluster.failure_seed)

    def until(self, seconds: float = float("inf")) -> list[SimulatedTrial]:
        """Run until nothing is left to do, or the time is up; all trials that began.

        What still runs when the time is up has not ended.
        """
        for node in range(self._cluster.nodes):
            self._plan_failure(node)
        self._fill()
        while self._events and not self._idle():
            when, _, event = heapq.heappop(self._events)
            if when > seconds:
                self.now = seconds
                break
            self.now = when
            event()
            self._fill()
        return self.trials

    def _idle(self) -> bool:
        busy = any(slot.trial for slot in self._slots)
        return self._finished and not busy and not self._waiting

    def _at(self, delay: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + delay, next(self._order), event))

    def _fill(self) -> None:
        """Give free slots work while there is any."""
        for slot in self._slots:
            if slot.down or slot.trial is not None:
                continue
            trial = self._waiting.popleft() if self._waiting else self._next()
            if trial is None:
                return
            slot.trial = trial
            self._begin_epoch(slot)

    def _next(self) -> SimulatedTrial | None:
        if self._finished:
            return None
        trial_id = f"{len(self.trials):05d}"
        suggested = self._arm.searcher.suggest(trial_id)
        if suggested is None:
            return None
        if suggested == Searcher.FINISHED:
            self._finished = True
            return None
        config = self._arm.config(suggested)
        reports = self._run(config, self._seed + int(config["seed"]))
        trial = SimulatedTrial(trial_id, suggested, reports)
        self.trials.append(trial)
        self._arm.scheduler.on_trial_add(None, trial)
        return trial

    def _begin_epoch(self, slot: Slot) -> None:
        trial, version = slot.trial, slot.version
        assert trial is not None
        seconds = trial.reports[trial.epoch][SECONDS] / self._cluster.speed
        if not slot.warm:
            seconds += self._cluster.start_up
            slot.warm = True
        self._at(seconds, lambda: self._end_epoch(slot, trial, version, seconds))

    def _end_epoch(self, slot: Slot, trial: SimulatedTrial, version: int, seconds: float) -> None:
        if slot.version != version:
            return  # its node has failed meanwhile
        trial.gpu_seconds += seconds
        report = trial.reports[trial.epoch]
        trial.epoch += 1
        done = trial.epoch == len(trial.reports)
        result = self._arm.result(report, done=done)
        trial.last_result = result
        stop = not done and (
            self._arm.scheduler.on_trial_result(None, trial, result) == TrialScheduler.STOP
        )
        if done or stop:
            self._end(slot, trial, result, stopped=stop)
        else:
            self._begin_epoch(slot)

    def _end(
        self, slot: Slot, trial: SimulatedTrial, result: dict[str, Any], *, stopped: bool
    ) -> None:
        trial.ended, trial.stopped, trial.status = self.now, stopped, "TERMINATED"
        slot.trial = None
        self._arm.ended(trial, result, stopped=stopped)

    def _plan_failure(self, node: int) -> None:
        mean = self._cluster.mean_time_between_failures
        if mean is not None:
            self._at(float(self._failures.exponential(mean)), lambda: self._fail(node))

    def _fail(self, node: int) -> None:
        """Lose a node: its trials wait for another slot and go on from their last epoch."""
        for slot in self._slots:
            if slot.node == node:
                slot.down, slot.warm = True, False
                slot.version += 1
                if slot.trial is not None:
                    self._waiting.append(slot.trial)
                    slot.trial = None
        self._at(self._cluster.repair, lambda: self._repair(node))

    def _repair(self, node: int) -> None:
        for slot in self._slots:
            if slot.node == node:
                slot.down = False
        self._plan_failure(node)
