"""One run over several processes, GPUs or nodes, by Ray Train: the file that shows it to Ray."""

import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import ray
from ray.exceptions import RayActorError, RayTaskError
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchConfig, TorchTrainer
from ray.train.torch.config import _set_torch_distributed_env_vars, _TorchBackend
from ray.train.v2.api.exceptions import WorkerGroupError
from ray.util.queue import Empty, Queue

from trainables.checking import check_batch_shares, check_ranks, check_trial
from trainables.config import TrialConfig
from trainables.distillation import Distillation, Metrics
from trainables.models.checkpoints import read_checkpoint, save_atomically
from trainables.teachers import check_pair, load_teachers
from trainables.workers.meeting import Place, join, listen
from trainables.workers.own_ray import closed_to_others
from trainables.workers.ranks import Ranks


class _Meeting(_TorchBackend):
    """Ray's own, whose workers listen at every address of their machines; ours do not."""

    def on_start(self, worker_group: Any, backend_config: Any) -> None:
        """Let them meet, before they work."""
        worker_group.execute(_set_torch_distributed_env_vars)
        place, count = worker_group.execute_single(0, _opened), len(worker_group)
        arguments = (place, str(backend_config.backend))
        ray.get(
            [
                worker_group.execute_single_async(rank, _joined, *arguments, rank, count)
                for rank in range(count)
            ]
        )


class _Met(TorchConfig):
    @property
    def backend_cls(self) -> type[_Meeting]:
        return _Meeting


def _opened() -> Place:
    return listen(_own_address())


def _joined(place: Place, backend: str, rank: int, count: int) -> None:
    join(place, _own_address(), backend, rank=rank, count=count)


def _own_address() -> str:
    """Under which Ray knows this node; 127.0.0.1 in a Ray of our own."""
    return str(ray.util.get_node_ip_address())  # type: ignore[no-untyped-call]


class Told(NamedTuple):
    """What rank 0 says of an epoch: once when it is done, and again when its checkpoint lies there.

    A worker that dies in between does the epoch again, to the same end.
    """

    epoch: int
    metrics: Metrics
    saved: bool


def train_distributed(
    config: TrialConfig,
    checkpoint: Path,
    teachers: Path,
    *,
    workers: int,
    gpus_per_worker: float = 0.0,
    address: str | None = None,
    max_failures: int = 3,
) -> Iterator[tuple[int, Metrics]]:
    """As :func:`trainables.single.train`, every batch spread over workers: the same numbers.

    Up to the rounding of sums, and to dropout, which is each worker's own. A run that was begun
    with other workers, or in one process, goes on from its checkpoint. A dead worker or node costs
    the epochs since the last checkpoint, an epoch at most.

    Args:
        config: complete description of the run; ``data.batch_size`` is of all workers together.
        checkpoint: written by rank 0; with several nodes, and so ``teachers``, in a folder that
            all of them see.
        teachers: where prepared teachers lie; what is missing is prepared first, by one process.
        workers: processes, >= 1.
        gpus_per_worker: 1 or more: NCCL; a share of one GPU, or none: Gloo.
        address: of a Ray cluster; None starts a Ray of our own, which ends with the run.
        max_failures: dead workers after which the run is given up.

    Raises:
        ValueError: if data, student or teacher cannot be had, the images cannot be shared, the
            checkpoint belongs to another config, or there are fewer CPUs or GPUs than asked for.
        ChildProcessError: if workers died too often.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    check_batch_shares(config, Ranks(0, workers))  # before a minute is spent on starting Ray
    task = {
        "trial": config.model_dump(mode="json"),
        "checkpoint": str(checkpoint.resolve()),
        "teachers": str(teachers.resolve()),
    }
    scaling = _scaling(workers, gpus_per_worker, config.hardware.threads)
    with _scratch_beside(checkpoint.resolve()) as scratch, _ray(scaling, address):
        _prepare(task, workers, gpus_per_worker)
        reports = Queue(actor_options={"num_cpus": 0})
        trainer = TorchTrainer(
            _work,
            train_loop_config=task | {"reports": reports},
            torch_config=_backend(gpus_per_worker),
            scaling_config=scaling,
            run_config=RunConfig(
                name=scratch.name,
                storage_path=str(scratch.parent),
                failure_config=FailureConfig(max_failures=max_failures),
            ),
        )
        pool = ThreadPoolExecutor(max_workers=1)
        fitting = pool.submit(trainer.fit)
        pool.shutdown(wait=False)  # its thread ends with Ray
        yield from each_once(_heard(reports, fitting))


def each_once(told: Iterable[Told]) -> Iterator[tuple[int, Metrics]]:
    """Number and metrics of every epoch whose checkpoint is written, once and in order."""
    waiting: dict[int, Metrics] = {}
    given = 0
    for epoch, metrics, saved in told:
        waiting.setdefault(epoch, metrics)
        whole = epoch if saved else epoch - 1
        for ready in sorted(number for number in waiting if given < number <= whole):
            given = ready
            yield ready, waiting[ready]


def _heard(reports: Queue, fitting: "Future[Any]") -> Iterator[Told]:
    """What rank 0 says, until training has ended."""
    while True:
        over = fitting.done()  # asked first: what was said before the end is heard
        try:
            said = reports.get(block=not over, timeout=1)
        except Empty:
            if over:
                break
            continue
        if isinstance(said, ValueError):
            raise said
        yield said
    try:
        fitting.result()
    except WorkerGroupError as error:
        raise ChildProcessError(
            f"training was given up: {reason(error.worker_failures)}; the same call goes on from "
            "the checkpoint"
        ) from error


def reason(failures: Mapping[int, Exception]) -> str:
    """Of the failures by rank, who died, or else what the first worker says.

    When one dies, the others fail for want of it.
    """
    causes = {rank: getattr(e, "health_check_failure", e) for rank, e in failures.items()}
    dead = sorted(rank for rank, cause in causes.items() if isinstance(cause, RayActorError))
    if dead:
        return f"the process of worker {', '.join(map(str, dead))} died"
    first = failures[min(failures)]
    return str(first).strip().rpartition("\n")[2] or type(first).__name__


def _work(task: dict[str, Any]) -> None:
    """What every worker runs: the loop of ``trainables.single``, of which rank 0 keeps the books.

    An error of the training itself would come again; it is said instead, and ends the run.
    """
    ranks, reports = Ranks.here(), task["reports"]
    try:
        for told in _epochs(task, ranks):
            if ranks.rank == 0:
                reports.put(told)
    except ValueError as error:
        reports.put(ValueError(str(error)))
        raise


def _epochs(task: dict[str, Any], ranks: Ranks) -> Iterator[Told]:
    config, checkpoint = TrialConfig.model_validate(task["trial"]), Path(task["checkpoint"])
    loaded = load_teachers(config, Path(task["teachers"]))
    run = Distillation.build(config, *loaded, ranks=ranks)
    state = read_checkpoint(checkpoint) if ranks.rank == 0 and checkpoint.is_file() else None
    state = ranks.agreed(state)
    if state is not None:
        run.load_state_dict(state)
        if run.finished:
            yield Told(run.epoch, run.validate(), saved=True)
    while not run.finished:
        metrics = {**run.train_epoch(), **run.validate()}
        yield Told(run.epoch, metrics, saved=False)
        if ranks.rank == 0:
            save_atomically(run.state_dict(), checkpoint)
        yield Told(run.epoch, metrics, saved=True)


def _prepare(task: dict[str, Any], workers: int, gpus: float) -> None:
    """Refuse what cannot be trained, and prepare its teachers, on a machine like the workers'."""
    # the process ends with its task: it would keep its memory, on a GPU too
    remote = ray.remote(num_cpus=1, num_gpus=gpus, max_calls=1, max_retries=0)
    try:
        ray.get(remote(_prepared).remote(task, workers))
    except RayTaskError as error:
        raise error.cause from None


def _prepared(task: dict[str, Any], workers: int) -> None:
    config = TrialConfig.model_validate(task["trial"])
    check_trial(config)  # a teacher may take hours
    check_ranks(config, Ranks(0, workers))
    check_pair(config)
    load_teachers(config, Path(task["teachers"]))


def _backend(gpus: float) -> TorchConfig:
    # NCCL refuses two workers on one GPU
    return _Met("nccl" if gpus >= 1 else "gloo")


def _scaling(workers: int, gpus: float, threads: int) -> ScalingConfig:
    resources = {"CPU": float(threads)} | ({"GPU": gpus} if gpus else {})
    return ScalingConfig(num_workers=workers, use_gpu=gpus > 0, resources_per_worker=resources)


@contextmanager
def _scratch_beside(checkpoint: Path) -> Iterator[Path]:
    """A folder for Ray's own notes, of which nothing is needed before or after."""
    folder = checkpoint.with_name(f".{checkpoint.name}.ray")
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)  # of a driver that was killed
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _ray(scaling: ScalingConfig, address: str | None) -> Iterator[None]:
    """A Ray of our own, or the one at ``address``; at the end whatever runs there for us ends."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")  # paths in a config are the user's
    own, needed = address is None, scaling.total_resources
    with closed_to_others(ray) if own else nullcontext():
        ray.init(
            address=address or "local",
            num_cpus=max(os.cpu_count() or 1, round(needed["CPU"])) if own else None,
            object_store_memory=256 * 2**20 if own else None,  # what is said is a few numbers
            include_dashboard=False if own else None,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    try:
        present = ray.cluster_resources()  # type: ignore[no-untyped-call]
        for kind, amount in needed.items():
            if present.get(kind, 0) < amount:
                raise ValueError(
                    f"the workers need {amount:g} {kind}s together, but Ray has "
                    f"{present.get(kind, 0):g}; take fewer workers, or the address of a larger "
                    "cluster"
                )
        yield
    finally:
        ray.shutdown()
