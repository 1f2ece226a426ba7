"""The students of a verification as Ray tasks, and what a person sees meanwhile."""

import time
from collections import deque
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import ray
from ray.exceptions import OutOfMemoryError, RayError
from rich.console import Console

from tuner.evaluation.measuring import Request
from tuner.records import Cause
from tuner.study import ResourcesConfig
from tuner.verification.measured import CLEAN, Measured, VerifiedRun
from tuner.verification.student import Student, run_student

REDRAW_SECONDS = 1.0

Outcome = VerifiedRun | str


def run_students(
    students: Sequence[Student],
    request: Request,
    resources: ResourcesConfig,
    progress: "VerificationProgress",
) -> dict[tuple[int, int], Outcome]:
    """Train and measure everyone, as many at a time as the study runs trials; needs a Ray session.

    Returns:
        What was measured, or why it could not be, by config and seed.
    """
    remote = ray.remote(
        num_cpus=resources.cpus, num_gpus=resources.gpus, max_retries=resources.max_failures
    )(run_student)
    waiting, running = deque(students), dict[Any, Student]()
    outcomes: dict[tuple[int, int], Outcome] = {}
    while waiting or running:
        while waiting and len(running) < resources.max_concurrent:
            student = waiting.popleft()
            running[remote.remote(student, request)] = student
        done, _ = ray.wait(list(running), timeout=REDRAW_SECONDS)
        for reference in done:
            student = running.pop(reference)
            outcome = _outcome(reference)
            outcomes[student.member, student.seed] = outcome
            progress.ended(student, outcome)
        progress.draw(list(running.values()))
    return outcomes


def _outcome(reference: Any) -> Outcome:
    """What a task came to; Ray's own troubles, such as a process that died, in words."""
    try:
        result: Outcome = ray.get(reference)
    except OutOfMemoryError as error:  # Ray killed it to save the machine
        return f"{Cause.out_of_memory}: {_first_line(error)}"
    except RayError as error:
        return f"{Cause.worker_died}: {_first_line(error)}"
    return result


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


class VerificationProgress:
    """A line per student that ended; on a terminal also what the others are doing.

    Args:
        console: where it goes.
        total: students in all.
        known: seconds that each student took who was measured before.
        at_once: how many are measured at the same time.
        key: of the attack that decides, to be told of every student.
    """

    def __init__(
        self, console: Console, total: int, known: Sequence[float], *, at_once: int, key: str
    ) -> None:
        self._console, self._total, self._at_once, self._key = console, total, at_once, key
        self._before, self._done = len(known), 0
        self._seconds = sum(known) / len(known) if known else None
        self._began = time.monotonic()
        self._status = console.status("starting Ray") if console.is_terminal else None

    def __enter__(self) -> "VerificationProgress":
        """Take over the last line of a terminal."""
        if self._status:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Give it back."""
        if self._status:
            self._status.stop()

    def ended(self, student: Student, outcome: Outcome) -> None:
        """Print what became of a student."""
        self._done += 1
        counts = f"{self._before + self._done}/{self._total} students, {self.time_left()}"
        self._console.print(
            f"{counts}  {student.name}: {describe(outcome, self._key)}",
            soft_wrap=True,
            markup=False,
        )

    def draw(self, running: Sequence[Student]) -> None:
        """What is being done; on a terminal only."""
        if self._status and running:
            doing = "; ".join(f"{s.name}: {s.status()}" for s in running[:4])
            self._status.update(f"{doing} … {self.time_left()}")

    def time_left(self) -> str:
        """By what the students so far took, those of an earlier attempt at first."""
        left = self._total - self._before - self._done
        if self._done:
            seconds = (time.monotonic() - self._began) / self._done * left
        elif self._seconds is not None:
            seconds = self._seconds * left / self._at_once
        else:
            return "time left unknown until the first is measured"
        return f"about {timedelta(seconds=round(seconds))} left"


def describe(outcome: Outcome, key: str) -> str:
    """``clean 96.7 %, robust 77.3 % at 0.1, 27.3 % at 0.2``; or why there is nothing to tell."""
    if isinstance(outcome, str):
        return outcome
    robust = ", ".join(
        f"{_share(row)} at {row.epsilon:.4g}" for row in outcome.measured if row.key == key
    )
    clean = next(_share(row) for row in outcome.measured if row.key == CLEAN)
    believed = "" if outcome.verdict in {None, "plausible"} else "; masked gradients?"
    return f"clean {clean}, robust {robust}{believed}"


def _share(row: Measured) -> str:
    return f"{100 * row.correct / row.total:.1f} %"
