"""The long crash test: ``python -m benchmarks.crashes --kills 100 --seed 0``.

Runs small studies one after the other. Until a study is done, processes are killed: the driver,
an actor or the MLflow server at a random time, or whoever comes to a random exact moment. After
every death of the driver the same command is run again. When it ends by itself, the ledger,
MLflow, the study's directory and the trace have to agree.
"""

import argparse
import json
import os
import platform
import random
import shutil
import subprocess
import time
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from benchmarks.crashes.agreement import disagreements
from benchmarks.crashes.driver import Victim
from benchmarks.crashes.moments import AT_END, AT_START, MOMENTS, phase_of
from benchmarks.crashes.server import Server
from tuner.storage.atomic import write_atomically

KINDS = {"driver": 2, "actor": 4, "server": 2, "moment": 5}
GIVE_UP = 40
"""Starts of the driver after which a study counts as one that does not end."""


class Torment:
    """One study and the kills that it is to survive."""

    def __init__(self, victim: Victim, server: Server | None, rng: random.Random) -> None:
        self.victim, self.server, self.rng = victim, server, rng
        self.kills: Counter[str] = Counter()
        self.exits: Counter[int] = Counter()
        self.starts = 0
        self.ends = rng.randint(0, 4)

    def run(self, kills: int) -> bool:
        """Start the same command until it ends by itself; whether it did."""
        command = ("run", str(self.victim.file))
        if self.server:
            command = (*command, "--tracking-uri", self.server.uri)
        while self.starts < GIVE_UP:
            self.starts += 1
            if self.kills.total() < kills and self.rng.random() < 0.3:
                self._plant(self.rng.choice(AT_START))
            self.victim.start(*command)
            self._disturb(kills)
            code = self._end()
            if code is None:
                continue
            self.exits[code] += 1
            if code == 0 and not self._end_again():
                return True
        return False

    def _end_again(self) -> bool:
        """Perhaps let the next start, which only has the end of the study to do, die there."""
        if self.ends == 0:
            return False
        self.ends -= 1
        self._plant(AT_END)
        return True

    def _plant(self, phase: str, number: int = 1) -> None:
        self._reap()
        self.victim.plant(self.rng.choice(MOMENTS[phase]), number)

    def _reap(self) -> None:
        """Count whoever died at the planted moment, and take the moment away."""
        if moment := self.victim.uproot():
            self.kills[phase_of(moment)] += 1

    def _disturb(self, kills: int) -> None:
        """Kill until the driver is dead or enough has been killed."""
        while self.victim.alive and self.kills.total() < kills:
            kinds = {k: w for k, w in KINDS.items() if self.server or k != "server"}
            kind = self.rng.choices(list(kinds), list(kinds.values()))[0]
            getattr(self, f"_{kind}")()

    def _end(self) -> int | None:
        """Wait for the driver; its exit code, or None if it was killed."""
        assert self.victim.driver is not None
        try:
            code = self.victim.driver.wait(900)
        except subprocess.TimeoutExpired:
            self.victim.kill_driver()
            return -1
        self._reap()
        return None if code == -9 else code

    def _wait(self) -> bool:
        """A random time: at start-up, or some events later; whether the driver still runs."""
        if self.rng.random() < 0.1:
            time.sleep(self.rng.uniform(0, 12))
        else:
            already = len(self.victim.events())
            self.victim.wait_for("any", already + self.rng.randint(1, 8))
            time.sleep(self.rng.uniform(0, 1))
        return self.victim.alive

    def _driver(self) -> None:
        if self._wait():
            at_once = self.rng.random() < 0.5  # the old actors are still there then
            self.victim.kill_driver(orphans_too=not at_once)
            self.kills["driver, restarted beside its orphans" if at_once else "driver"] += 1

    def _actor(self) -> None:
        if self._wait() and self.victim.kill_actor(self.rng.randrange(8)):
            self.kills["actor"] += 1

    def _server(self) -> None:
        assert self.server is not None
        if self._wait():
            self.server.kill()
            self.kills["MLflow server"] += 1
            time.sleep(self.rng.uniform(0, 5))
            self.server.start()

    def _moment(self) -> None:
        phases = [phase for phase in MOMENTS if phase not in AT_START]
        self._plant(self.rng.choice(phases), self.rng.randint(1, 2))
        deadline = time.monotonic() + 30
        while self.victim.alive and not self.victim.fired and time.monotonic() < deadline:
            time.sleep(0.05)
        self._reap()


def one_study(folder: Path, rng: random.Random) -> dict[str, Any]:
    """Torment a study; what was killed and what does not agree."""
    shutil.rmtree(folder, ignore_errors=True)
    begun = time.monotonic()
    victim = Victim(folder)
    with Server(folder) if rng.random() < 0.5 else nullcontext() as server:
        torment = Torment(victim, server, rng)
        ended = torment.run(kills=rng.randint(8, 14))
        if b"MLflow is behind" in victim.log.read_bytes():
            victim.finish("sync", str(victim.directory.path))
        found = disagreements(victim, uri=server.uri if server else None)
    states = Counter(str(record.state) for record in victim.records())
    return {
        "ended": ended,
        "disagreements": found,
        "kills": dict(torment.kills),
        "starts": torment.starts,
        "exits": dict(torment.exits),
        "states": dict(states),
        "epochs": {
            "trained": sum(event[0] == "begun" for event in victim.events()),
            "reported": sum(len(record.reports) for record in victim.records()),
        },
        "seconds": round(time.monotonic() - begun, 1),
    }


def table(studies: list[dict[str, Any]]) -> str:
    """How often what was killed."""
    kills = sum((Counter(study["kills"]) for study in studies), Counter[str]())
    lines = ["| killed | times |", "| --- | ---: |"]
    lines += [f"| {name} | {number} |" for name, number in kills.most_common()]
    bad = sum(bool(study["disagreements"]) or not study["ended"] for study in studies)
    return "\n".join(
        [*lines, f"| all | {kills.total()} |", f"{len(studies)} studies, {bad} with disagreements"]
    )


def main() -> None:
    """Kill until there were enough kills; fail if anything disagreed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="at least so many")
    parser.add_argument("--seed", type=int, default=0, help="of kinds, moments and times")
    parser.add_argument("--folder", type=Path, default=Path("runs/crashes"), help="of the studies")
    options = parser.parse_args()
    studies: list[dict[str, Any]] = []
    while sum(sum(study["kills"].values()) for study in studies) < options.kills:
        number = len(studies)
        folder = options.folder.resolve() / f"{options.seed}-{number:03d}"
        study = one_study(folder, random.Random(f"{options.seed} {number}"))
        studies.append(study)
        print(f"study {number}: {json.dumps(study)}", flush=True)
        report = {
            "seed": options.seed,
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "studies": studies,
        }
        name = "crashes.json" if not options.seed else f"crashes-{options.seed}.json"
        write_atomically(options.folder.with_name(name), json.dumps(report, indent=1) + "\n")
        if study["ended"] and not study["disagreements"]:
            shutil.rmtree(folder)
    print(table(studies))
    if any(study["disagreements"] or not study["ended"] for study in studies):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
