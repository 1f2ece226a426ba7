"""A study that is there to be killed: its folder, its driver, its processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import yaml

from trainables.storage.object_store import copy_of
from trainables.storage.urls import completed
from tuner.records import TrialRecord
from tuner.storage.directory import StudyDirectory
from tuner.storage.ledger import Ledger

ROOT = Path(__file__).parents[2]
SITE = Path(__file__).parent / "site"
STUDY: dict[str, Any] = {
    "name": "crash",
    "trials": 6,
    "search_space": "digits",
    "first_trials": [],
    "base": {
        "data": {"name": "digits", "batch_size": 200},
        "threat": {"norm": "linf", "epsilon": 0.2},
        "attack": {"steps": 1, "batch_norm": "eval"},
        "validation": {"attack": {"steps": 2}},
        "epochs": 3,
    },
    "teachers": {
        "resnet": {
            "architecture": "small_resnet6",
            "training": {"epochs": 1, "batch_size": 200, "attack": {"steps": 1}},
        }
    },
    "ranges": {"student/architecture": ["small_resnet6"]},
    "sampler": {"startup_trials": 3},
    "scheduler": {"name": "halving", "grace_period": 1, "reduction_factor": 2},
    "resources": {"cpus": 1, "max_concurrent": 2, "max_failures": 3},
}


class Victim:
    """A study in a folder of its own, whose driver is started and killed.

    Args:
        folder: where ``runs/`` is to be.
        url: where the study is to live instead.
        changes: laid over ``STUDY``.
    """

    def __init__(self, folder: Path, *, url: str = "", **changes: Any) -> None:
        self.folder, self.url = folder, url
        folder.mkdir(parents=True, exist_ok=True)
        self.plan, self.trace, self.log = folder / "plan", folder / "trace", folder / "log"
        self.file = folder / "study.yaml"
        content = {**STUDY, **changes}
        self.name = content["name"]
        self.file.write_text(yaml.safe_dump(content))
        self.driver: subprocess.Popen[bytes] | None = None

    @property
    def directory(self) -> StudyDirectory:
        """Where it lives; of a URL, this machine's copy, as the driver keeps it."""
        home = copy_of(completed(self.url)) if self.url else self.folder / "runs" / self.name
        return StudyDirectory(home)

    @property
    def command(self) -> tuple[str, ...]:
        """The verb that starts it, and goes on with it."""
        return ("run", str(self.file), *(("--directory", self.url) if self.url else ()))

    def records(self) -> list[TrialRecord]:
        """What the ledger holds; nothing before there is one."""
        if not self.directory.config.is_file():
            return []
        return Ledger(self.directory.study(), self.directory.path).records()

    def events(self) -> list[list[str]]:
        """The trace, a list of words per line."""
        return (
            [line.split() for line in self.trace.read_text().splitlines()]
            if self.trace.is_file()
            else []
        )

    @property
    def environment(self) -> dict[str, str]:
        """What lets its processes die at a moment and note what they do."""
        return {
            "CRASH_PLAN": str(self.plan),
            "CRASH_TRACE": str(self.trace),
            "PYTHONPATH": os.pathsep.join([str(SITE), str(ROOT)]),
            "RAY_worker_niceness": "0",  # not behind whatever else runs on the machine
        }

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a driver in a session of its own; ``run`` with the study's file by default."""
        with self.log.open("ab") as log:
            self.driver = subprocess.Popen(
                [sys.executable, "-m", "tuner", *(arguments or self.command)],
                cwd=self.folder,
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self.driver

    def finish(self, *arguments: str, timeout: float = 900) -> int:
        """Start a driver and let it come to its end."""
        return self.start(*arguments).wait(timeout)

    @property
    def alive(self) -> bool:
        return self.driver is not None and self.driver.poll() is None

    def family(self) -> list[psutil.Process]:
        """Ray's processes below the driver."""
        if self.driver is None or not self.alive:
            return []
        try:
            return list(psutil.Process(self.driver.pid).children(recursive=True))
        except psutil.NoSuchProcess:
            return []

    def actors(self) -> list[psutil.Process]:
        """Processes that train or wait for a trial."""
        return [process for process in self.family() if "Trainable" in command_line(process)]

    def kill_actor(self, place: int = 0) -> bool:
        """SIGKILL one of them; whether there was one."""
        found = self.actors()
        if not found:
            return False
        return kill(found[place % len(found)])

    def kill_driver(self, *, orphans_too: bool = True) -> None:
        """SIGKILL the driver; Ray's processes would end by themselves 10 to 12 s later."""
        assert self.driver is not None
        orphans = self.family()
        self.driver.kill()
        self.driver.wait()
        if orphans_too:
            for process in orphans:
                kill(process)
            psutil.wait_procs(orphans, timeout=20)

    def plant(self, moment: str, number: int = 1) -> None:
        """Let whoever comes to the moment for the ``number``-th time die there."""
        self.uproot()
        part = self.plan.with_name("plan.part")
        part.write_text(f"{moment} {number}")
        part.rename(self.plan)

    def uproot(self) -> str:
        """Take the moment away; the one that somebody died at, or an empty string."""
        self.plan.unlink(missing_ok=True)
        fired = self.plan.with_name("plan.fired")
        moment = fired.read_text().rpartition(" ")[0] if fired.exists() else ""
        fired.unlink(missing_ok=True)
        return moment

    @property
    def fired(self) -> bool:
        return self.plan.with_name("plan.fired").exists()

    def wait_for(self, kind: str, number: int, timeout: float = 600) -> bool:
        """Wait for so many lines of a kind in the trace; whether they came while it ran."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and self.alive:
            if sum(kind in (event[0], "any") for event in self.events()) >= number:
                return True
            time.sleep(0.05)
        return False

    def interrupt(self) -> None:
        """Ctrl-C: SIGINT to the whole process group, as a terminal sends it."""
        assert self.driver is not None
        os.killpg(self.driver.pid, signal.SIGINT)


def command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def kill(process: psutil.Process) -> bool:
    """SIGKILL; whether it was still there."""
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return False
    return True
