"""One trial over several workers inside a study: every worker an actor of the trial's placement.

Not Ray Train within Ray Tune: its workers would stand in a placement of their own, for which the
trial that started them may wait for ever, and would train on while Tune still judges an epoch.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import ray
import torch
from ray.exceptions import RayActorError, RayError, RayTaskError
from ray.util import get_current_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from trainables.config import TrialConfig
from trainables.distillation import Distillation, Metrics
from trainables.machine.allocator import hand_back_freed_memory
from trainables.machine.out_of_memory import is_out_of_memory
from trainables.storage.places import fetch_teachers
from trainables.teachers import load_teachers
from trainables.workers.meeting import Place, join, listen
from trainables.workers.ranks import Ranks

SECONDS_TO_TELL = 15.0
"""After the first error, until whoever has died is known to be dead: the others only miss it."""


def _own_address() -> str:
    return str(ray.util.get_node_ip_address())  # type: ignore[no-untyped-call]


class Standing(NamedTuple):
    """How far a run is."""

    epoch: int
    finished: bool
    machine: Mapping[str, Any]


class Worker:
    """One rank of a run; Ray makes it an actor, which serves one trial after another."""

    def __init__(self) -> None:
        self._run: Distillation | None = None

    def meeting_place(self, rank: int) -> Place | None:
        """Where the first worker listens for the others; None of those."""
        return listen(_own_address()) if rank == 0 else None

    def join(self, rank: int, count: int, place: Place, backend: str) -> None:
        """Become one of ``count`` that exchange tensors."""
        join(place, _own_address(), backend, rank=rank, count=count)

    def build(self, trial: dict[str, Any], teachers: str) -> Standing:
        """A run before its first epoch, after the one before has gone."""
        self._run = None
        hand_back_freed_memory()
        config = TrialConfig.model_validate(trial)
        loaded = load_teachers(config, fetch_teachers(config, teachers))
        self._run = Distillation.build(config, *loaded, ranks=Ranks.here())
        return self._standing()

    def load(self, state: dict[str, Any]) -> Standing:
        """Continue from a checkpoint."""
        self._present.load_state_dict(state)
        return self._standing()

    def train_epoch(self) -> tuple[Metrics, Standing]:
        """One epoch together with the others."""
        return self._present.train_epoch(), self._standing()

    def validate(self) -> tuple[Metrics, Standing]:
        """The accuracies, of which each worker measures its part."""
        return self._present.validate(), self._standing()

    def state(self) -> dict[str, Any]:
        """The whole state, in memory that a process without a GPU can read."""
        state: dict[str, Any] = _on_cpu(self._present.state_dict())
        return state

    @property
    def _present(self) -> Distillation:
        assert self._run is not None, "a worker trains what was built"
        return self._run

    def _standing(self) -> Standing:
        run = self._present
        return Standing(run.epoch, run.finished, run.machine)


class WorkerGroup:
    """Workers that make a run together; to whoever drives it, a ``Distillation``.

    An error of one ends all of them: the others would wait for it. What it was is raised here.

    Args:
        workers: processes; the bundles after the first of the placement group of this actor.
    """

    def __init__(self, workers: int) -> None:
        group = get_current_placement_group()
        assert group is not None, "a trial over several workers has a placement group"
        bundles = group.bundle_specs[-workers:]
        first = len(group.bundle_specs) - workers
        self._workers: list[Any] = [
            ray.remote(Worker)
            .options(
                num_cpus=bundle.get("CPU", 0),
                num_gpus=bundle.get("GPU", 0),
                scheduling_strategy=PlacementGroupSchedulingStrategy(group, first + rank),
            )
            .remote()
            for rank, bundle in enumerate(bundles)
        ]
        self._standing = Standing(0, False, {})
        place = self._each("meeting_place", [(rank,) for rank in range(workers)])
        # NCCL refuses two workers on one GPU
        backend = "nccl" if bundles[0].get("GPU", 0) >= 1 else "gloo"
        self._each("join", [(rank, workers, place, backend) for rank in range(workers)])

    @property
    def alive(self) -> bool:
        """Whether it can serve another trial."""
        return bool(self._workers)

    @property
    def epoch(self) -> int:
        """Epochs that are done."""
        return self._standing.epoch

    @property
    def finished(self) -> bool:
        """Whether nothing is left to train."""
        return self._standing.finished

    @property
    def machine(self) -> Mapping[str, Any]:
        """What the first worker computes with."""
        return self._standing.machine

    def build(self, config: TrialConfig, teachers: str) -> "WorkerGroup":
        """Begin a run in the place of the one before."""
        self._standing = self._all("build", config.model_dump(mode="json"), teachers)
        return self

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """As that of ``Distillation``."""
        self._standing = self._all("load", ray.put(state))

    def train_epoch(self) -> Metrics:
        """As that of ``Distillation``."""
        metrics, self._standing = self._all("train_epoch")
        return dict(metrics)

    def validate(self) -> Metrics:
        """As that of ``Distillation``."""
        metrics, self._standing = self._all("validate")
        return dict(metrics)

    def state_dict(self) -> dict[str, Any]:
        """As that of ``Distillation``; all workers have the same."""
        state: dict[str, Any] = ray.get(self._workers[0].state.remote())
        return state

    def close(self) -> None:
        """End the workers, whatever they are doing."""
        for worker in self._workers:
            ray.kill(worker)
        self._workers = []

    def _all(self, method: str, *arguments: Any) -> Any:
        return self._each(method, [arguments] * len(self._workers))

    def _each(self, method: str, arguments: list[Any]) -> Any:
        """Call a method of all; what the first worker answered.

        Raises:
            RayActorError: if one of them died.
            Exception: what one of them raised.
        """
        calls = [
            getattr(worker, method).remote(*own)
            for worker, own in zip(self._workers, arguments, strict=True)
        ]
        try:
            _wait_for_all(calls)
        except Exception:
            self.close()
            raise
        return ray.get(calls[0])


def _wait_for_all(calls: list[Any]) -> None:
    waiting = list(calls)
    while waiting:
        (done,), waiting = ray.wait(waiting, num_returns=1)
        if error := _error_of(done):
            raise worst([error, *_errors_soon(waiting)])


def _errors_soon(calls: list[Any]) -> list[Exception]:
    """Of the calls that end in the next seconds, those that fail; the others wait for ever."""
    if not calls:
        return []
    ended, _ = ray.wait(calls, num_returns=len(calls), timeout=SECONDS_TO_TELL)
    return [error for error in map(_error_of, ended) if error]


def _error_of(call: Any) -> Exception | None:
    try:
        ray.get(call)
    except RayTaskError as error:
        cause = error.cause
        return cause if isinstance(cause, Exception) else error
    except RayError as error:
        return error
    return None


def worst(errors: list[Exception]) -> Exception:
    """The one that explains the others: a death, else want of memory, else the first."""
    died = (error for error in errors if isinstance(error, RayActorError))
    return next(died, None) or next(filter(is_out_of_memory, errors), errors[0])


def _on_cpu(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.cpu()
    if isinstance(value, dict):
        return {key: _on_cpu(item) for key, item in value.items()}
    return [_on_cpu(item) for item in value] if isinstance(value, list) else value
