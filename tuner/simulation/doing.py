"""What ``tuner simulate`` does: what a study would find, and what it would cost, before it does."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console

from tuner.analysis.replicates import groups
from tuner.analysis.results import Results
from tuner.analysis.tables import front_table, plain_table
from tuner.records import TrialRecord, TrialState
from tuner.search.proposals import check_space
from tuner.search.scheduler_config import FifoConfig
from tuner.search.students import choose_students, narrowed
from tuner.search.warm_start import load_earlier
from tuner.simulation.curves import SECONDS, Curves, Recording, shipped_recording
from tuner.simulation.engine import Cluster
from tuner.simulation.study import simulate
from tuner.storage.directory import StudyDirectory
from tuner.storage.ledger import read_records
from tuner.study import StudyConfig


@dataclass(frozen=True)
class Request:
    """What to simulate on.

    Attributes:
        gpus: how many; each worker of a trial takes ``resources.gpus``, or one if that is 0.
        seeds: simulated worlds, to see how much is chance.
        seconds_per_epoch: of the mean recorded epoch; None: as recorded.
        failures: mean hours between failures of a node of eight; None: none.
    """

    gpus: int
    seeds: int = 3
    seconds_per_epoch: float | None = None
    failures: float | None = None


def simulate_and_show(
    study: StudyConfig, request: Request, curves: Path | None, console: Console
) -> None:
    """Simulate a study, with and without early stopping, and print what came out.

    Raises:
        ValueError: if the study would be refused, a trial takes more GPUs than there are, or the
            curves are of another task.
    """
    check_space(study)
    study = narrowed(study, choose_students(study))
    recording = shipped_recording() if curves is None else recording_of(StudyDirectory(curves))
    model = Curves(recording)
    cluster = _cluster(study, request, recording)
    whole = study.model_copy(update={"scheduler": FifoConfig()})
    table = plain_table(f"{study.name} on {request.gpus} simulated GPUs, seeds: {request.seeds}")
    for heading in ("", "time", "GPU time", "busy %", "complete", "stopped", "hypervolume"):
        table.add_column(heading, justify="right" if heading else "left")
    shown: Results | None = None
    for name, config in {"this study": study, "without early stopping": whole}.items():
        runs = [_run(config, cluster, model, seed) for seed in range(request.seeds)]
        table.add_row(name, *_cells(runs))
        shown = shown or runs[0].results
    assert shown is not None
    console.print(front_table(shown, console.width))
    console.print(table)
    about = ", ".join(f"{key}: {value}" for key, value in recording.about.items())
    mean = _mean_epoch(recording) / cluster.speed
    console.print(
        f"from {len(recording.configs)} recorded configs ({about}); a mean epoch takes "
        f"{mean:.3g} s, a process {cluster.start_up:g} s to start. "
        "Times are means over seeds; teachers and verification are not counted. The hypervolume is "
        "that of the complete trials' expected values; the front above shows one seed's luck, too."
    )


class _Run(NamedTuple):
    seconds: float
    gpu_seconds: float
    busy: float
    results: Results
    hypervolume: float


def _run(study: StudyConfig, cluster: Cluster, curves: Curves, seed: int) -> _Run:
    simulation, arm = simulate(study, cluster, curves, seed=seed, earlier=load_earlier(study))
    held = sum(trial.gpu_seconds for trial in simulation.trials)
    results = Results(study, arm.ledger.records())
    busy = held / max(1e-9, simulation.now * cluster.slots)
    used = held * study.resources.share
    return _Run(simulation.now, used, busy, results, _expected(results, curves).hypervolume)


def _expected(results: Results, curves: Curves) -> Results:
    """The complete trials with the values that they have on average: luck does not count."""
    records = []
    for record in results.complete:
        last = curves.mean(record.config)[-1]
        values = {metric: float(last[metric]) for metric in results.metrics}
        records.append(replace(record, values=values))
    return Results(results.study, records)


def _cells(runs: Sequence[_Run]) -> list[str]:
    """Times as means; what varies between worlds with its least and most."""
    results = [run.results for run in runs]
    return [
        str(timedelta(seconds=round(float(np.mean([run.seconds for run in runs]))))),
        str(timedelta(seconds=round(float(np.mean([run.gpu_seconds for run in runs]))))),
        f"{100 * np.mean([run.busy for run in runs]):.0f}",
        _spread([len(found.complete) for found in results], "d"),
        _spread([len(found.stopped) for found in results], "d"),
        _spread([run.hypervolume for run in runs], ".3f"),
    ]


def _spread(values: Sequence[float], form: str) -> str:
    low, high = format(min(values), form), format(max(values), form)
    return low if low == high else f"{low} to {high}"


def _cluster(study: StudyConfig, request: Request, recording: Recording) -> Cluster:
    cluster = Cluster(slots=_slots(study, request.gpus))
    if request.seconds_per_epoch is not None:
        speed = _mean_epoch(recording) / request.seconds_per_epoch
        cluster = replace(cluster, speed=speed)
    if request.failures is not None:
        cluster = replace(cluster, mean_time_between_failures=3600 * request.failures)
    return cluster


def _slots(study: StudyConfig, gpus: int) -> int:
    """Trials at once."""
    share = study.resources.share
    if gpus < share:
        raise ValueError(
            f"a trial takes {share:g} GPUs (resources: {study.resources.workers} x "
            f"{study.resources.gpus or 1:g}), but --gpus gives {gpus}; give at least "
            f"{math.ceil(share)}"
        )
    return int(gpus / share)


def _mean_epoch(recording: Recording) -> float:
    place = recording.metrics.index(SECONDS)
    return float(np.mean([curves[..., place].mean() for curves in recording.curves]))


def recording_of(place: StudyDirectory) -> Recording:
    """The curves of a study's complete trials.

    Raises:
        ValueError: if it has fewer than ten.
    """
    study = place.study()
    records = [r for r in read_records(study, place.path) if r.state == TrialState.complete]
    whole = [record for record in records if len(record.reports) == record.config["epochs"]]
    if len(whole) < 10:
        raise ValueError(
            f"study {place.path} has {len(whole)} complete trials; curves need at least 10"
        )
    present = set.intersection(*({*report} for r in whole for report in r.reports))
    metrics = sorted(present - {"epoch", "timestamp"})
    configs = groups(whole)
    return Recording(
        {"study": str(place.path)},
        study.base.model_dump(mode="json"),
        [members[0].config for members in configs.values()],
        [np.stack([_curve(r, metrics) for r in members]) for members in configs.values()],
        (*metrics, SECONDS),
    )


def _curve(record: TrialRecord, metrics: list[str]) -> Any:
    """``(epochs, metrics + 1)``; an epoch takes the time between two reports."""
    times = np.array([report["timestamp"] for report in record.reports]) / 1000
    gaps = np.diff(times)
    first = float(np.median(gaps)) if len(gaps) else 1.0
    seconds = np.concatenate([[first], gaps])
    values = np.array([[report[name] for name in metrics] for report in record.reports])
    return np.concatenate([values, seconds[:, None]], axis=1)
