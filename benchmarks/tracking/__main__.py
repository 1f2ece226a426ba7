"""What MLflow costs a study: time per report in the driver, requests per trial.

    python -m benchmarks.tracking

Real ``mlflow server`` on 127.0.0.1 with SQLite, behind a proxy that counts, delays or is dead.
``one by one`` waits until MLflow holds every report before the next, so that nothing is saved by
writing several at once: the most requests that a trial can cost. The other arms report every 5 ms
and never wait. Prints a table and writes JSON.
"""

import argparse
import json
import logging
import os
import platform
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.services.service import free_port
from benchmarks.tracking.proxy import Proxy, proxy_of
from benchmarks.tracking.trials import history, study_of, write_files
from tuner.analysis.results import Results
from tuner.records import TrialRecord
from tuner.storage.directory import StudyDirectory
from tuner.tracking.client import MlflowClient
from tuner.tracking.server import serve
from tuner.tracking.tracker import Tracker, default_uri

PACE = 0.005
"""Seconds between two reports of an arm that does not wait; a study has fewer by far."""

SLOW = 0.2
"""Seconds that the slow server takes longer for every request."""

NOTHING: Mapping[str, Any] = {"delay": 0.0, "dead": False}
"""A proxy that only counts."""

TARGET_US, TARGET_REQUESTS = 1000.0, 4
"""Microseconds per report; requests per trial above its epochs."""

Row = dict[str, Any]


class Bench:
    """A store, its server and the proxy before it.

    Args:
        folder: an empty one.
        proxy: before the server.
        trials: how many per arm.
        epochs: of each.
    """

    def __init__(self, folder: Path, proxy: Proxy, trials: int, epochs: int) -> None:
        self.folder, self.proxy, self.trials = folder, proxy, trials
        self.study = study_of(epochs)

    def arm(
        self, name: str, *, uri: str = "", wait: bool = False, during: Mapping[str, Any] = NOTHING
    ) -> Row:
        """Report all trials in turn, as a study with all of them at once would.

        Args:
            name: of the arm, and of its study.
            uri: where MLflow is; default: the proxy.
            wait: whether each report has to arrive before the next, and no files are there.
            during: how the proxy behaves once the study's run is there.
        """
        study = self.study.model_copy(update={"name": name.replace(" ", "-")})
        place = StudyDirectory(self.folder / study.name)
        place.path.mkdir()
        if not wait:
            write_files(study, place, self.trials)
        records = list(zip(*(history(study, n) for n in range(self.trials)), strict=True))
        self.proxy.requests.clear()
        tracker = Tracker(study, place.path, uri or self.proxy.address)
        tracker.start()
        opening = self._counted().total()
        vars(self.proxy).update(during)
        times = [_timed(tracker, record, wait) for step in records for record in step]
        living = self._counted()
        vars(self.proxy).update(NOTHING)
        if wait:
            write_files(study, place, self.trials)
            for record in records[-1]:
                tracker.update(record)  # its checkpoint is there by now
            files = self._until_done(tracker)
        begin = time.perf_counter()
        tracker.log_models(Results(study, records[-1]))
        through = tracker.close(status="FINISHED", timeout=300)
        row = {
            "arm": name,
            "reports": len(times),
            **_microseconds(times),
            "end_seconds": time.perf_counter() - begin,
            "whole": through and self._is_whole(study.name, uri),
        }
        if wait:
            row["opening_requests"] = opening
            row["requests_per_trial"] = living.total() / self.trials
            row["file_requests_per_trial"] = files.total() / self.trials
            row["front_requests"] = self._counted().total()
            row["front_models"] = len(Results(study, records[-1]).front)
            row["kinds"] = dict(living.most_common())
        return row

    def _until_done(self, tracker: Tracker) -> Counter[str]:
        while tracker.behind:
            time.sleep(0.01)
        return self._counted()

    def _counted(self) -> Counter[str]:
        """Requests since the last count, when no more arrive."""
        before = -1
        while self.proxy.requests.total() > before:
            before = self.proxy.requests.total()
            time.sleep(0.3)
        found = Counter(self.proxy.requests)
        self.proxy.requests.clear()
        return found

    def _is_whole(self, name: str, uri: str) -> bool:
        """Whether every epoch of every trial arrived, once."""
        client = MlflowClient(uri or self.proxy.address)
        experiment = client.get_experiment_by_name(name)
        runs = client.search_runs([experiment.experiment_id], "tags.`tuner.trial` != ''")
        points = [
            len(client.get_metric_history(run.info.run_id, "val/clean_accuracy")) for run in runs
        ]
        return points == [self.study.base.epochs] * self.trials


def _timed(tracker: Tracker, record: TrialRecord, wait: bool) -> float:
    begin = time.perf_counter()
    tracker.update(record)
    took = time.perf_counter() - begin
    if not wait:
        time.sleep(PACE)
    while wait and tracker.behind:
        time.sleep(0.001)
    return took


def _microseconds(times: list[float]) -> Mapping[str, float]:
    ranked = sorted(1e6 * value for value in times)
    return {
        "mean_us": statistics.fmean(ranked),
        "p50_us": statistics.median(ranked),
        "p99_us": ranked[int(0.99 * (len(ranked) - 1))],
        "max_us": ranked[-1],
    }


def measure(trials: int, epochs: int) -> list[Row]:
    """All arms, each with a study of its own in one store."""
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder) / "runs"
        runs.mkdir()
        # a port that nobody else takes: another server there would answer in its place
        with serve(default_uri(runs / "any"), free_port()) as base, proxy_of(base) as proxy:
            bench = Bench(runs, proxy, trials, epochs)
            return [
                bench.arm("one by one", wait=True),
                bench.arm("server"),
                bench.arm("slow server", during={"delay": SLOW}),
                bench.arm("dead server", during={"dead": True}),
                bench.arm("database, no server", uri=default_uri(runs / "any")),
            ]


def about(options: argparse.Namespace) -> Row:
    """What the numbers were measured with."""
    asked = ["git", "rev-parse", "HEAD"]
    commit = subprocess.run(asked, capture_output=True, text=True, check=False)
    arguments = f"--trials {options.trials} --epochs {options.epochs}"
    return {
        "command": f"python -m benchmarks.tracking {arguments}",
        "trials": options.trials,
        "epochs": options.epochs,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "commit": commit.stdout.strip(),
        "pace_seconds": PACE,
        "slow_seconds": SLOW,
    }


def show(rows: list[Row], facts: Row) -> None:
    table = Table(
        box=None, title="Time in the driver per report, microseconds", title_justify="left"
    )
    for column in ("arm", "reports", "mean", "p50", "p99", "max", "all arrived"):
        table.add_column(column, justify="left" if column == "arm" else "right")
    for row in rows:
        times = [f"{row[f'{name}_us']:,.0f}" for name in ("mean", "p50", "p99", "max")]
        table.add_row(row["arm"], str(row["reports"]), *times, "yes" if row["whole"] else "NO")
    console = Console(highlight=False, width=100)
    console.print(table)
    worst = rows[0]
    console.print(
        f"Requests per trial of {facts['epochs']} epochs: {worst['requests_per_trial']:g} "
        f"(allowed {facts['epochs'] + TARGET_REQUESTS}), then {worst['file_requests_per_trial']:g} "
        f"for its checkpoint; {worst['opening_requests']} to open the study, "
        f"{worst['front_requests']} for {worst['front_models']} models of its front and its end."
    )
    console.print(f"{facts['machine']}, load {facts['load']:.1f}, {facts['command']}")


def misses(rows: list[Row], epochs: int) -> list[str]:
    """Targets that are not met, in words."""
    slow = [row["arm"] for row in rows if row["mean_us"] > TARGET_US]
    lost = [row["arm"] for row in rows if not row["whole"]]
    many = rows[0]["requests_per_trial"] > epochs + TARGET_REQUESTS
    return [
        *(f"{arm}: more than {TARGET_US:g} us per report" for arm in slow),
        *(f"{arm}: MLflow does not hold everything once" for arm in lost),
        *(["more than epochs + 4 requests per trial"] if many else []),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--json", type=Path, default=Path("runs/bench-tracking.json"))
    options = parser.parse_args()
    logging.getLogger("tuner").setLevel(logging.ERROR)  # of the dead server it warns
    facts = about(options)
    rows = measure(options.trials, options.epochs)
    show(rows, facts)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps({"about": facts, "arms": rows}, indent=1) + "\n")
    print(f"written: {options.json}")
    if missed := misses(rows, options.epochs):
        raise SystemExit("; ".join(missed))


if __name__ == "__main__":
    main()
