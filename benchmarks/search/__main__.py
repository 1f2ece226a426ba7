"""Hypervolume against budget of ways to search, on recorded curves; ``make bench-search``.

    python -m benchmarks.search --seeds 20

Every search runs on 8 simulated slots. The budget is time: what 32 trainings of the mean recorded
length take, as many as the shipped study has trials. Counted are fully trained trials, by the
true values of their configs. The reference point is the median of the recorded configs.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.search.arms import CLEAN, MEAN, ROBUST, MakeArm, ours, ray
from benchmarks.search.measure import (
    history,
    interval,
    paired_ratio,
    reference,
    time_to,
    volume_at,
)
from benchmarks.search.moasha import VERSION, syne_tune
from tuner.simulation.curves import SECONDS, Curves, Recording, shipped_recording
from tuner.simulation.engine import Cluster
from tuner.study import StudyConfig
from tuner.study_file import load_study

SLOTS, TRAININGS, SHARES = 8, 32, (0.25, 0.5, 1.0)
PLAIN, REPAIRED, OURS = "Ray: OptunaSearch", f"{VERSION} MOASHA, repaired", "ours"
FIFO = {"scheduler": {"name": "fifo"}}
RANDOM = {"sampler": {"name": "random"}}
OUTPUT = Path("runs/bench-search.json")


def halving(**settings: Any) -> dict[str, Any]:
    return {"scheduler": {"name": "halving", **settings}}


ARMS: dict[str, MakeArm] = {
    PLAIN: ray(),
    "Ray: OptunaSearch, ASHA on clean": ray(CLEAN),
    "Ray: OptunaSearch, ASHA on robust": ray(ROBUST),
    "Ray: OptunaSearch, ASHA on the mean": ray(MEAN),
    f"{VERSION} MOASHA, shipped": syne_tune(repaired=False),
    REPAIRED: syne_tune(repaired=True),
    "random, full training": ours(**RANDOM, **FIFO),
    "TPE, full training": ours(**FIFO),
    "NSGA-II, full training": ours(sampler={"name": "nsga2", "population_size": 12}, **FIFO),
    OURS: ours(),
    "ours, random sampler": ours(**RANDOM),
    "ours, NSGA-II": ours(sampler={"name": "nsga2", "population_size": 12}),
    "ours, without foresight": ours(**halving(foresight=None)),
    "ours, epsilon-net": ours(**halving(tie_break="epsilon_net")),
    "ours, variance gap at rung 2": ours(**halving(proxy={"until": 2})),
    "ours, first rung at 5": ours(**halving(grace_period=5)),
    "ours, two brackets": ours(**halving(brackets=2)),
}


LOADED: dict[str, Any] = {}
"""Of a worker process: the study and its curves."""


def _load(study: StudyConfig, recording: Recording) -> None:
    LOADED.update(study=study, curves=Curves(recording))


def _search(name: str, seed: int, budget: float) -> tuple[int, Any]:
    cluster = Cluster(SLOTS, start_up=0.0)
    study, curves = LOADED["study"], LOADED["curves"]
    trials, done = history(ARMS[name], study, curves, cluster, seed=seed, budget=budget)
    return len(trials), done


def measure(study: StudyConfig, recording: Recording, seeds: int) -> dict[str, Any]:
    """Run every arm with every seed."""
    corner = reference(recording)
    length = np.mean(
        [c.mean(axis=0)[:, recording.metrics.index(SECONDS)].sum() for c in recording.curves]
    )
    budget = float(TRAININGS * length / SLOTS)
    found: dict[str, Any] = {}
    moments = [share * budget for share in SHARES]
    with ProcessPoolExecutor(
        os.cpu_count(), initializer=_load, initargs=(study, recording)
    ) as pool:
        for name in ARMS:
            begun = time.perf_counter()
            runs = list(
                pool.map(_search, *zip(*[(name, s, budget) for s in range(seeds)], strict=True))
            )
            volumes = np.array([volume_at(done, moments, corner) for _, done in runs])
            found[name] = {
                "rows": [done for _, done in runs],
                "volumes": volumes,
                "trials": float(np.mean([trials for trials, _ in runs])),
                "complete": float(np.mean([len(done) for _, done in runs])),
            }
            seconds = time.perf_counter() - begun
            print(f"{name}: {1e4 * volumes[:, -1].mean():.1f} ({seconds:.0f} s)", flush=True)
    return {"arms": found, "corner": corner, "budget": budget}


def speed_up(arm: Mapping[str, Any], base: Mapping[str, Any], corner: Any, budget: float) -> Any:
    """How much sooner an arm has what the base ends with; the median over seeds."""
    ends = base["volumes"][:, -1]
    times = [time_to(rows, end, corner) for rows, end in zip(arm["rows"], ends, strict=True)]
    return interval(budget / np.array(times), statistic="median")


def table(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row per arm."""
    arms, corner, budget = result["arms"], result["corner"], result["budget"]
    ends = {name: arm["volumes"][:, -1] for name, arm in arms.items()}
    return [
        {
            "arm": name,
            "begun": arm["trials"],
            "complete": arm["complete"],
            "volumes": (1e4 * arm["volumes"].mean(axis=0)).tolist(),
            "interval": [1e4 * v for v in interval(ends[name])],
            "against_plain": paired_ratio(ends[name], ends[PLAIN]),
            "against_repaired": paired_ratio(ends[name], ends[REPAIRED]),
            "speed_up": speed_up(arm, arms[PLAIN], corner, budget),
        }
        for name, arm in arms.items()
    ]


def markdown(rows: list[dict[str, Any]]) -> str:
    """The table as it stands in docs/search.md."""
    lines = [
        "| search | begun | complete | at 1/4 | at 1/2 | at the end | against plain Ray | "
        "against repaired MOASHA | sooner by |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        quarter, half, _ = row["volumes"]
        end, low, high = row["interval"]
        plain, repaired, speed = (
            "{:.2f} [{:.2f}, {:.2f}]".format(*row[key])
            for key in ("against_plain", "against_repaired", "speed_up")
        )
        lines.append(
            f"| {row['arm']} | {row['begun']:.0f} | {row['complete']:.0f} | {quarter:.1f} | "
            f"{half:.1f} | {end:.1f} [{low:.1f}, {high:.1f}] | {plain} | {repaired} | {speed} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    seeds = parser.parse_args().seeds
    study = load_study(Path(__file__).with_name("pairs.yaml"))
    # no first trials: plain Ray and Syne Tune have none
    study = study.model_copy(update={"trials": 100_000, "first_trials": []})
    recording = shipped_recording()
    result = measure(study, recording, seeds)
    rows = table(result)
    about = {
        "seeds": seeds,
        "configs": len(recording.configs),
        "reference": (-result["corner"]).tolist(),
        "budget_seconds": result["budget"],
        "machine": platform.machine(),
    }
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps({"about": about, "rows": rows}, indent=1))
    print(markdown(rows))
    print(about)


if __name__ == "__main__":
    main()
