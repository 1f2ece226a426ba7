"""10,000 trials on 1,000 simulated GPUs in one process: time per decision, memory of the driver.

    python -m benchmarks.search.scale

A decision is what the driver does for one report (store, judge, end) and for one proposal.
"""

import argparse
import gc
import time
from pathlib import Path
from zlib import crc32

import numpy as np
import psutil

from tuner.simulation.curves import Curves, shipped_recording
from tuner.simulation.engine import Cluster, Simulation
from tuner.simulation.study import StudyArm
from tuner.study_file import load_study


class Watch:
    """Seconds that calls took, since the last look."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def around(self, function):
        def timed(*arguments, **options):
            begun = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                self.seconds.append(time.perf_counter() - begun)

        return timed

    def milliseconds(self) -> tuple[float, float]:
        """Median and 99th percentile; forgets."""
        found = 1e3 * np.array(self.seconds or [0.0])
        self.seconds.clear()
        return float(np.median(found)), float(np.percentile(found, 99))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--gpus", type=int, default=1_000)
    arguments = parser.parse_args()
    study = load_study(Path(__file__).with_name("pairs.yaml"))
    study = study.model_copy(update={"trials": arguments.trials, "first_trials": []})
    curves = Curves(shipped_recording())
    configs: dict[str, list] = {}  # a few hundred different runs, so that the forest is not timed

    def run(config, seed):
        key = str(crc32(str(config["alignments"]).encode()) % 300)
        if key not in configs:
            configs[key] = curves.run(config, seed)
        return configs[key]

    arm = StudyArm(study, slots=arguments.gpus)
    asks, reports = Watch(), Watch()
    arm.search.ask = asks.around(arm.search.ask)
    arm.search.report = reports.around(arm.search.report)
    simulation = Simulation(arm, Cluster(arguments.gpus), run)
    marks = [m for m in (100, 1_000, 2_000, 5_000, arguments.trials) if m <= arguments.trials]
    process = psutil.Process()
    print("| trials | suggest: median, 99 % | report: median, 99 % | memory |")
    print("|---|---|---|---|")
    suggest = arm.searcher.suggest

    def watched(trial_id):
        if marks and len(arm.ledger) >= marks[0]:
            gc.collect()
            ask, report = asks.milliseconds(), reports.milliseconds()
            print(
                f"| {marks.pop(0):,} | {ask[0]:.1f} ms, {ask[1]:.1f} ms | {report[0]:.2f} ms, "
                f"{report[1]:.2f} ms | {process.memory_info().rss / 1e6:.0f} MB |",
                flush=True,
            )
        return suggest(trial_id)

    arm.searcher.suggest = watched
    begun = time.perf_counter()
    simulation.until()
    watched("end")
    print(f"{len(arm.ledger):,} trials in {time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
