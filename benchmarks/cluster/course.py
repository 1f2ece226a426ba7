"""What happens to the study, in order, and what each blow costs."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.cluster.team import Team
from tuner.records import TrialRecord

PATIENCE = 300.0
"""Seconds without a trial that ends, after which the study counts as stuck."""


@dataclass
class Event:
    """Something that was done to the study.

    Attributes:
        seconds: since the demonstration began.
        ended: trials that had ended by then.
        what: in words.
        clock: seconds since the epoch, as reports have them.
        trace: lines of the trace by then.
        back: the same, when what was taken away was there again.
        node: the one that joined.
        cost: in words; found out at the end.
    """

    seconds: float
    ended: int
    what: str
    clock: float = field(default_factory=time.time)
    trace: int = 0
    back: float | None = None
    node: str = ""
    cost: str = ""


class Course:
    """Does things to the study when so many trials have ended, and notes when."""

    def __init__(self, team: Team, say: Callable[[Event], None], began: float) -> None:
        self._team, self._say, self._began = team, say, began
        self.events: list[Event] = []

    def run(self, trials: int) -> None:
        """Everything; thresholds are shares of the trials.

        Raises:
            ConnectionError: if the study ends too early, is stuck or fails.
        """
        self._note("the study begins")
        self._team.study.start(*self._team.command)
        self._lose_node(trials // 6)
        self._lose_mlflow(trials * 2 // 6, trials * 5 // 12)
        self._restart_postgres(trials // 2)
        self._join(trials * 7 // 12)
        self._lose_driver(trials * 4 // 6)
        self._finish()

    def _lose_node(self, ended: int) -> None:
        self._until(ended)
        self._team.nodes.kill(2)
        self._note("kill -9 of all processes of one of three nodes")

    def _lose_mlflow(self, ended: int, back: int) -> None:
        self._until(ended)
        self._team.services.mlflow.kill()
        lost = self._note("kill -9 of the MLflow server")
        self._until(back)
        self._team.services.mlflow.start()
        lost.back = time.time()
        self._note("the MLflow server is started again")

    def _restart_postgres(self, ended: int) -> None:
        self._until(ended)
        lost = self._note("PostgreSQL is stopped")
        self._team.services.postgres.stop()
        self._wait(lambda: "storage is away" in self._said(), "notice that PostgreSQL is away")
        self._team.services.postgres.start()
        lost.back = time.time()
        self._note("PostgreSQL is started again")

    def _join(self, ended: int) -> None:
        self._until(ended)
        place = self._team.nodes.add()
        self._note("a new node joins").node = self._team.nodes.nodes[place].log.stem

    def _lose_driver(self, ended: int) -> None:
        self._until(ended)
        self._team.study.kill_driver(orphans_too=False)
        self._note("kill -9 of the driver; the same command again")
        self._team.study.start(*self._team.command)

    def _finish(self) -> None:
        driver = self._team.study.driver
        assert driver is not None
        self._wait(lambda: driver.poll() is not None, "end", alive=False)
        if driver.returncode:
            raise ConnectionError(f"the study ended with code {driver.returncode}: {self._last()}")
        self._note("the study ends")

    def _note(self, what: str) -> Event:
        event = Event(
            seconds=time.monotonic() - self._began,
            ended=self._team.ended(),
            what=what,
            trace=len(self._team.study.events()),
        )
        self.events.append(event)
        self._say(event)
        return event

    def _until(self, ended: int) -> None:
        self._wait(lambda: self._team.ended() >= ended, f"end {ended} trials")

    def _wait(self, ready: Callable[[], bool], what: str, *, alive: bool = True) -> None:
        ended, deadline = -1, 0.0
        while not ready():
            if (now := self._team.ended()) > ended:
                ended, deadline = now, time.monotonic() + PATIENCE
            if alive and not self._team.study.alive:
                raise ConnectionError(f"the driver ended before it could {what}: {self._last()}")
            if time.monotonic() > deadline:
                raise ConnectionError(
                    f"the study did not {what}, and for {PATIENCE:g} s no trial ended: "
                    f"{self._last()}"
                )
            time.sleep(0.5)

    def _said(self) -> str:
        return self._team.study.log.read_text(errors="replace")

    def _last(self) -> str:
        return (self._said().strip().splitlines() or ["it said nothing"])[-1]


def add_costs(
    events: Sequence[Event], records: Sequence[TrialRecord], trace: Sequence[Sequence[str]]
) -> None:
    """Say of every event but the last how the reports went on, and what was trained again."""
    reported = sorted(report["timestamp"] / 1000 for r in records for report in r.reports)
    again = _trained_again(trace)
    ends = [event.trace for event in events[1:-1]] + [len(trace)]
    for event, end in zip(events, ends, strict=False):
        lost = sum(event.trace <= line < end for line in again)
        said = [*_away(event, reported), *_silence(event, reported), *_joined(event, trace)]
        event.cost = ", ".join([*said, f"{_epochs(lost)} trained again"] if lost else said)


def _away(event: Event, reported: Sequence[float]) -> Iterator[str]:
    if event.back is not None:
        meanwhile = sum(event.clock < moment < event.back for moment in reported)
        yield f"away for {event.back - event.clock:.0f} s, {_epochs(meanwhile)} reported meanwhile"


def _silence(event: Event, reported: Sequence[float]) -> Iterator[str]:
    following = next((moment for moment in reported if moment > event.clock), None)
    if following is not None:
        yield f"next epoch after {following - event.clock:.1f} s"


def _joined(event: Event, trace: Sequence[Sequence[str]]) -> Iterator[str]:
    begun = [float(line[-2]) for line in trace if line[0] == "begun" and line[-1] == event.node]
    if event.node and begun:
        yield f"trains after {begun[0] - event.clock:.1f} s"


def _epochs(number: int) -> str:
    return f"{number} epoch" if number == 1 else f"{number} epochs"


def _trained_again(trace: Sequence[Sequence[str]]) -> list[int]:
    """Lines of the trace in which an epoch is begun that had been begun before."""
    seen, again = set(), []
    for line, (kind, *words) in enumerate(trace):
        if kind == "begun":
            epoch = tuple(words[:2])  # of a trial; the time and the node follow
            if epoch in seen:
                again.append(line)
            seen.add(epoch)
    return again


def as_json(events: Sequence[Event]) -> list[dict[str, Any]]:
    """For programs."""
    return [asdict(event) for event in events]
