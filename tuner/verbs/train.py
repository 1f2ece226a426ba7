"""What ``tuner train`` does: one student per seed, each in a folder of its own and in MLflow."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

import torch
from rich.console import Console

from trainables.checking import check_batch_shares
from trainables.config import TrialConfig
from trainables.frozen import fingerprint
from trainables.machine.hardware import in_words
from trainables.single import train
from trainables.workers.ranks import Ranks
from tuner.exporting.provenance import Provenance, read_provenance
from tuner.quantities import attack_name, written
from tuner.records import TrialState
from tuner.running.cluster_address import require_inside
from tuner.study_file import load_trial
from tuner.tracking.telling import Tracking, tracking_of
from tuner.training_folder import TrainingFolder

TRAINED = Path("runs/train")
SUMMARISED = ("val/clean_accuracy", "val/robust_accuracy")


@dataclass(frozen=True)
class TrainingRequest:
    """What the command line asks for.

    Attributes:
        config: the file.
        output: folder of the result; None: named after the file.
        teachers: folder of prepared teachers.
        seeds: of the students to train; empty: the config's own, without a folder per seed.
        epochs: instead of the config's number.
        gpus: in all; None: as the config says.
        workers: processes that share every batch; None: one per GPU, or one.
        address: of a Ray cluster, for several workers; None: a Ray of our own.
        tracking_uri: MLflow; None: the database that studies under ``runs`` share.
        tracking: whether MLflow is told at all.
    """

    config: Path
    output: Path | None = None
    teachers: Path = Path("runs/teachers")
    seeds: tuple[int, ...] = ()
    epochs: int | None = None
    gpus: int | None = None
    workers: int | None = None
    address: str | None = None
    tracking_uri: str | None = None
    tracking: bool = True

    @property
    def folder(self) -> Path:
        """Of the result."""
        return self.output or TRAINED / self.config.stem

    @property
    def processes(self) -> int:
        """How many train a student together."""
        return self.workers or max(self.gpus or 1, 1)


def chosen_seeds(config: Path, count: int | None, named: Sequence[int]) -> tuple[int, ...]:
    """The seeds that ``--seeds`` or ``--seed`` mean; none where neither is given.

    Raises:
        ValueError: if both are given, or a seed twice.
    """
    if count is not None and named:
        raise ValueError(
            f"--seeds {count} counts from the config's seed and --seed names seeds; use one of them"
        )
    if len(set(named)) < len(named):
        raise ValueError(f"--seed names each seed once, got {', '.join(map(str, named))}")
    if count is None:
        return tuple(named)
    first = load_trial(config).seed
    return tuple(range(first, first + count))


def train_and_show(request: TrainingRequest, console: Console) -> None:
    """Train every seed that is asked for; the last line names what to look at next.

    Raises:
        ValueError: if the config, its teacher or its hardware cannot be had, a folder belongs to
            another config, or training diverges.
        KeyboardInterrupt: after what there is was kept.
    """
    require_inside(request.address)
    if request.address and request.processes == 1:
        raise ValueError(
            f"address {request.address} is for several workers, and one trains here; give at least "
            "two --workers or --gpus, or leave it out"
        )
    folders = planned(request)
    console.print(f"hardware: {in_words(folders[0].config.hardware)}")
    for i, folder in enumerate(folders):
        if len(folders) > 1:
            seed = folder.config.seed
            console.print(f"seed {seed} ({i + 1} of {len(folders)}): {folder.path}", markup=False)
        _train(folder, request, console)
    if len(folders) > 1:
        console.print(summary(folders), soft_wrap=True, markup=False)
    for folder in folders:
        console.print(f"student: {folder.student}", soft_wrap=True, markup=False)


def planned(request: TrainingRequest) -> list[TrainingFolder]:
    """The runs that are asked for, each with its config; claims their folders.

    Raises:
        ValueError: see :func:`train_and_show`.
    """
    config = _changed(load_trial(request.config), request)
    provenance = _handed_on(request.config, config)
    folders = [TrainingFolder(request.folder, config, provenance)]
    if request.seeds:
        folders = [
            TrainingFolder(
                request.folder / f"seed_{seed}",
                config.model_copy(update={"seed": seed}),
                provenance,
            )
            for seed in request.seeds
        ]
    for folder in folders:
        folder.claim()
    return folders


def _changed(config: TrialConfig, request: TrainingRequest) -> TrialConfig:
    values = config.model_dump(mode="json")
    if request.epochs is not None:
        values["epochs"] = request.epochs
    if request.gpus is not None:
        values["hardware"]["device"] = _device(request)
    changed = TrialConfig.model_validate(values)
    check_batch_shares(changed, Ranks(0, request.processes))
    return changed


def _device(request: TrainingRequest) -> str:
    gpus, here = request.gpus or 0, torch.cuda.device_count()
    if gpus > here and request.address is None:
        raise ValueError(
            f"--gpus {gpus} needs as many GPUs, but PyTorch sees {here} on this machine; use fewer "
            "(0: the CPU), or name a cluster with --address"
        )
    return "cuda" if gpus else "cpu"


def _handed_on(path: Path, config: TrialConfig) -> Provenance | None:
    """Where the file says that it comes from, and whether this is still what was measured."""
    provenance = read_provenance(path)
    if provenance is None:
        return None
    now = config.model_copy(update={"seed": provenance.seeds[0]})
    changed = fingerprint(now) != provenance.config
    return provenance.model_copy(update={"changed": provenance.changed or changed})


def _train(folder: TrainingFolder, request: TrainingRequest, console: Console) -> None:
    tracking = tracking_of(folder, request.tracking_uri, console) if request.tracking else None
    try:
        _epochs(folder, request, tracking, console)
    except KeyboardInterrupt:
        _ended(folder, tracking, TrialState.stopped, "interrupted")
        console.print(
            f"stopped; the same command goes on from {folder.checkpoint}",
            soft_wrap=True,
            markup=False,
        )
        raise
    except ValueError as error:
        _ended(folder, tracking, TrialState.failed, str(error))
        raise
    folder.finish()
    _ended(folder, tracking, TrialState.complete)


def _trained(
    folder: TrainingFolder, request: TrainingRequest
) -> Iterator[tuple[int, dict[str, float]]]:
    """Every epoch as it ends, of this process or of several."""
    if request.processes == 1:
        return train(folder.config, folder.checkpoint, request.teachers)
    from trainables.distributed import train_distributed  # heavy: Ray

    return train_distributed(
        folder.config,
        folder.checkpoint,
        request.teachers,
        workers=request.processes,
        gpus_per_worker=(request.gpus or 0) / request.processes,
        address=request.address,
    )


def _epochs(
    folder: TrainingFolder, request: TrainingRequest, tracking: Tracking | None, console: Console
) -> None:
    config, begun = folder.config, time.monotonic()
    for epoch, metrics in _trained(folder, request):
        _refuse_divergence(epoch, metrics)
        kept = folder.epoch_kept(epoch)
        if not kept:
            folder.keep(epoch, {**metrics, "cost/seconds": round(time.monotonic() - begun, 3)})
        if tracking:
            tracking.update(folder.record(TrialState.running))
        shown = ", ".join(f"{k.partition('/')[2]} {v:.4g}" for k, v in metrics.items())
        console.print(f"epoch {epoch}/{config.epochs}: {shown}", soft_wrap=True)
        begun = time.monotonic()


def _refuse_divergence(epoch: int, metrics: dict[str, float]) -> None:
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise ValueError(
                f"training diverged: {name} was {value} in epoch {epoch}; "
                "lower optimizer.learning_rate, or set optimizer.clip_norm"
            )


def _ended(
    folder: TrainingFolder, tracking: Tracking | None, state: TrialState, reason: str = ""
) -> None:
    if tracking:
        tracking.end(folder.record(state, reason=reason), folder.files())


def summary(folders: Sequence[TrainingFolder]) -> str:
    """Mean and standard deviation (n - 1) over the seeds, with what they were measured on."""
    last = [folder.rows()[-1] for folder in folders]
    parts = [_over_seeds(name, [row[name] for row in last]) for name in SUMMARISED]
    attack = attack_name(folders[0].config.model_dump(mode="json"))
    return (
        f"over {len(folders)} seeds: {', '.join(parts)}; mean ± standard deviation in %, "
        f"{int(last[0]['val/count'])} validation images, robust: {attack}"
    )


def _over_seeds(name: str, values: Sequence[float]) -> str:
    quantity = name.partition("/")[2].replace("_", " ")
    return f"{quantity} {written(name, fmean(values))} ± {written(name, stdev(values))}"
