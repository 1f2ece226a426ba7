"""Training a few hundred random configs, three seeds each, and keeping their learning curves.

    python -m benchmarks.search.record            # trains; stopped, it goes on; ends with the file
    python -m benchmarks.search.record --pack     # writes the file from what is there

One process per core with one thread each. Seconds are processor time, so that what else runs on the
machine does not lengthen them.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import torch

from search_spaces import SEARCH_SPACES, sample
from trainables.config import TrialConfig, fingerprint
from trainables.distillation import Distillation
from trainables.methods import METHODS
from trainables.teachers import load_teachers, prepare_teacher
from tuner.search.proposals import resolve
from tuner.simulation.curves import SECONDS, Recording
from tuner.storage.atomic import write_atomically
from tuner.study import StudyConfig
from tuner.study_file import load_study

STUDY = Path(__file__).with_name("pairs.yaml")
ROOT = Path("runs/curves")
FILE = Path("tuner/recordings/digits.jsonl.gz")
SEEDS = (0, 1, 2)
STUDENTS = ("small_resnet6", "small_wide_resnet10", "vit_pico_patch2_8")
KEPT = ("val/clean_accuracy", "val/robust_accuracy", "val/variance_gap", "student/parameters")


def configs(study: StudyConfig, number: int) -> Iterator[TrialConfig]:
    """Every method at its authors' settings for every student, then random draws of two spaces.

    Three draws of ``digits`` to two of ``methods``; any beginning of them is a fair sample.
    """
    draws = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    named = [_named(study, method, student) for method in METHODS for student in STUDENTS]
    yield from named[:number]
    for position in range(number - len(named)):
        yield _drawn(study, ("digits", "methods")[position % 5 in (1, 3)], draws)


def _named(study: StudyConfig, method: str, student: str) -> TrialConfig:
    overrides = {"method": {"name": method}, "student": {"architecture": student}}
    return resolve(study, {**overrides, "teacher": "resnet"})[0]


def _drawn(study: StudyConfig, space: str, draws: optuna.Study) -> TrialConfig:
    overrides = sample(SEARCH_SPACES[space], draws.ask(), teachers=sorted(study.teachers))
    return resolve(study, overrides)[0]


def train(config: TrialConfig, root: Path) -> Path:
    """Record a run, unless it was recorded before."""
    place = root / f"{fingerprint(config)}.json"
    if place.is_file():
        return place
    torch.set_num_threads(1)
    distillation = Distillation.build(config, *load_teachers(config, root / "teachers"))
    reports = []
    while not distillation.finished:
        begun = time.process_time()
        metrics = {**distillation.train_epoch(), **distillation.validate()}
        seconds = time.process_time() - begun
        kept = {name: round(metrics[name], 5) for name in KEPT}
        reports.append({**kept, "seconds": round(seconds, 3)})
    content = {"config": config.model_dump(mode="json"), "reports": reports}
    write_atomically(place, json.dumps(content))
    return place


def record(study: StudyConfig, number: int, workers: int) -> None:
    """Train everything that is missing."""
    chosen = list(configs(study, number))
    clean = study.base.clean_teacher
    for teacher in [*study.teachers.values(), *([clean] if clean else [])]:
        prepared = study.base.model_copy(update={"teacher": teacher})
        found = prepare_teacher(prepared, ROOT / "teachers")
        print(f"{found.path.name}: {found.clean_accuracy:.3f}, {found.robust_accuracy:.3f}")
    runs = [c.model_copy(update={"seed": seed}) for c in chosen for seed in SEEDS]
    begun = time.perf_counter()
    with ProcessPoolExecutor(workers) as pool:
        pending = [pool.submit(train, run, ROOT) for run in runs]
        for done, future in enumerate(as_completed(pending), start=1):
            if error := future.exception():
                print(f"failed: {error}", flush=True)
            if done % 10 == 0:
                minutes = (time.perf_counter() - begun) / 60
                print(f"{done}/{len(runs)} runs, {minutes:.1f} min", flush=True)


def pack(study: StudyConfig, root: Path) -> Recording:
    """All configs of which every seed was recorded."""
    found: dict[str, dict[int, Any]] = {}
    configs: dict[str, dict[str, Any]] = {}
    for place in sorted(root.glob("*.json")):
        run = json.loads(place.read_text())
        config = {**run["config"], "seed": 0}
        identity = fingerprint(config)
        configs[identity] = config
        found.setdefault(identity, {})[run["config"]["seed"]] = run["reports"]
    whole = [identity for identity, runs in found.items() if len(runs) == len(SEEDS)]
    names = (*KEPT, SECONDS)
    curves = [
        np.array([[[r[n] for n in names] for r in found[i][seed]] for seed in SEEDS]) for i in whole
    ]
    return Recording(
        about(), study.base.model_dump(mode="json"), [configs[i] for i in whole], curves, names
    )


def about() -> dict[str, str]:
    """Where the numbers come from."""
    return {
        "command": "python -m benchmarks.search.record",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, no GPU, one thread per run",
        "versions": f"python {platform.python_version()}, torch {torch.__version__}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--configs", type=int, default=270)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--pack", action="store_true", help="only write the file")
    arguments = parser.parse_args()
    study = load_study(STUDY)
    if not arguments.pack:
        record(study, arguments.configs, arguments.workers)
    recording = pack(study, ROOT)
    recording.write(FILE)
    print(f"{len(recording.configs)} configs x {len(SEEDS)} seeds: {FILE}")


if __name__ == "__main__":
    main()
