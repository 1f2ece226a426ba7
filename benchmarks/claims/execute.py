"""Training and measuring the runs, each at most once: everything is cached by the run's config."""

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import torch

from benchmarks.claims.plan import Run
from trainables.distillation import Distillation
from trainables.models.checkpoints import read_checkpoint, save_atomically
from trainables.teachers import load_teachers, prepare_teacher

Measured = Mapping[str, Any]
Measure = Callable[[Distillation], Measured]


def trained(run: Run, root: Path) -> Distillation:
    """The finished run, from its checkpoint or trained now."""
    checkpoint = run.folder(root) / "checkpoint.pt"
    if run.after is not None and not checkpoint.is_file():
        trained(run.after, root)
    distillation = Distillation.build(run.config, *load_teachers(run.config, root / "teachers"))
    if checkpoint.is_file():
        distillation.student.load_state_dict(read_checkpoint(checkpoint)["student"])
        return distillation
    begun = time.perf_counter()
    while not distillation.finished:
        distillation.train_epoch()
    seconds = time.perf_counter() - begun
    save_atomically(distillation.state_dict(), checkpoint)
    write(checkpoint.with_name("training.json"), {"seconds": seconds})
    return distillation


def measure(run: Run, root: Path, measures: Mapping[str, Measure]) -> dict[str, Measured]:
    """What each measure says of the run; those measured before are read."""
    folder = run.folder(root)
    missing = [name for name in measures if not (folder / f"{name}.json").is_file()]
    if missing or not (folder / "checkpoint.pt").is_file():
        torch.set_num_threads(1)
        distillation = trained(run, root)
        for name in missing:
            begun = time.perf_counter()
            found = dict(measures[name](distillation))
            write(folder / f"{name}.json", {**found, "seconds": time.perf_counter() - begun})
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in measures}


def write(path: Path, content: Measured) -> None:
    """Write JSON; the file is old or new, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(json.dumps(content, indent=1))
    part.replace(path)


def execute(
    runs: Iterable[Run],
    root: Path,
    measures_of: Callable[[Run], Mapping[str, Measure]],
    *,
    workers: int,
) -> None:
    """Train and measure all runs in processes of one thread each; a stopped one goes on.

    A run that two groups share is trained once and gets the measures of both.
    """
    unique: dict[Path, tuple[Run, dict[str, Measure]]] = {}
    for run in runs:
        _, wanted = unique.setdefault(run.folder(root), (run, {}))
        wanted.update(measures_of(run))
    first, _ = next(iter(unique.values()))
    prepare_teacher(first.config, root / "teachers")
    prepare_teacher(first.config.clean_teacher_trial(), root / "teachers")
    # a run that begins with another's student comes after it: two processes must not train it twice
    waves = (
        [(run, wanted) for run, wanted in unique.values() if (run.after is None) == early]
        for early in (True, False)
    )
    begun, done = time.perf_counter(), 0
    with ProcessPoolExecutor(workers) as pool:
        for wave in waves:
            pending = {pool.submit(measure, run, root, wanted): run for run, wanted in wave}
            for future in as_completed(pending):
                future.result()
                done += 1
                run = pending[future]
                minutes = (time.perf_counter() - begun) / 60
                print(
                    f"{done}/{len(unique)} {minutes:.1f} min: {run.group}, {run.label}, "
                    f"seed {run.seed}",
                    flush=True,
                )
