"""What a person or a program sees while a study runs."""

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from ray import tune
from rich.console import Console
from rich.live import Live

from tuner.analysis.costs import seconds
from tuner.quantities import measured
from tuner.records import TrialRecord, TrialState
from tuner.running.live_view import live_view
from tuner.running.tally import Tally
from tuner.study import StudyConfig

REDRAW_SECONDS = 0.3


class Progress(ABC):
    """Someone who shows what happens to trials; of a study's whole session."""

    @abstractmethod
    def start(self) -> None:
        """Trials begin to run."""

    @abstractmethod
    def update(self, record: TrialRecord) -> None:
        """Take note of the newest state of a trial."""

    @abstractmethod
    def draw(self) -> None:
        """Take the time to show it; called whenever Ray's loop turns."""

    @abstractmethod
    def stop(self) -> None:
        """No trial runs any more."""


def create_progress(
    study: StudyConfig, records: Iterable[TrialRecord], console: Console
) -> Progress:
    """A picture that changes on a terminal, a line per end elsewhere."""
    kind = LiveProgress if console.is_terminal else LineProgress
    return kind(Tally(study, records), console)


class LiveProgress(Progress):
    """Draws running trials and the front in place; it neither scrolls nor outgrows the terminal."""

    def __init__(self, tally: Tally, console: Console) -> None:
        self._tally, self._console = tally, console
        self._drawn = 0.0
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def start(self) -> None:
        """Take over the end of the terminal."""
        self._tally.begin()
        self._live.start()

    def update(self, record: TrialRecord) -> None:
        """Take note of a trial."""
        self._tally.update(record)

    def draw(self) -> None:
        """Refresh the terminal, a few times a second at the most."""
        now = time.monotonic()
        if now - self._drawn > REDRAW_SECONDS:
            self._drawn = now
            width, height = self._console.size
            self._live.update(live_view(self._tally, width, height, now=time.time()), refresh=True)

    def stop(self) -> None:
        """Give the terminal back, without what was drawn."""
        self._live.stop()


class EndingProgress(Progress):
    """Prints something when a trial ends, or is tried again; what was printed stays."""

    def __init__(self, tally: Tally, console: Console) -> None:
        self._tally, self._console = tally, console

    @abstractmethod
    def _print(self, record: TrialRecord) -> None:
        """Show an end."""

    @abstractmethod
    def _print_again(self, record: TrialRecord) -> None:
        """Show that a trial ran out of memory and how it is tried again."""

    def start(self) -> None:
        """Time runs from now on."""
        self._tally.begin()

    def update(self, record: TrialRecord) -> None:
        """Take note of a trial, and print its end or, once, its second try."""
        new = record.second_try is not None and record.number not in self._tally.tried_again
        self._tally.update(record)
        if new:
            self._print_again(record)
        if record.state != TrialState.running:
            self._print(record)

    def draw(self) -> None:
        """Nothing."""

    def stop(self) -> None:
        """Nothing."""


class LineProgress(EndingProgress):
    """Prints a line when a trial ends."""

    def _print(self, record: TrialRecord) -> None:
        self._print_line(ending(record))

    def _print_again(self, record: TrialRecord) -> None:
        self._print_line(f"{named(record)}: {record.second_try}")

    def _print_line(self, said: str) -> None:
        line = f"{self._tally.counts()}  {said}"
        self._console.print(line, soft_wrap=True, markup=False)


class JsonProgress(EndingProgress):
    """Prints a JSON object on a line of its own when a trial ends."""

    def _print(self, record: TrialRecord) -> None:
        left = self._tally.seconds_left()
        content = {**ending_as_json(record), **_counts(self._tally), "seconds_left": left}
        self._console.out(json.dumps(content), highlight=False)

    def _print_again(self, record: TrialRecord) -> None:
        content = {"event": "tried again", "trial": record.number, "memory": str(record.second_try)}
        self._console.out(json.dumps(content), highlight=False)


class SilentProgress(Progress):
    """Shows nothing."""

    def start(self) -> None:
        """Nothing."""

    def update(self, record: TrialRecord) -> None:
        """Nothing."""

    def draw(self) -> None:
        """Nothing."""

    def stop(self) -> None:
        """Nothing."""


class ProgressCallback(tune.Callback):
    """Redraws whenever Ray's loop turns."""

    def __init__(self, progress: Progress) -> None:
        self._progress: Progress | None = progress

    def __getstate__(self) -> dict[str, Any]:
        """A terminal cannot be pickled."""
        return {"_progress": None}

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Redraw."""
        if self._progress:
            self._progress.draw()


def named(record: TrialRecord) -> str:
    """Which trial it is, in words."""
    return f"trial {record.number} ({record.pair}, {record.label})"


def ending(record: TrialRecord) -> str:
    """What became of a trial, in a line."""
    if record.state == TrialState.complete:
        return f"{named(record)}: {measured(record.values)}"
    return f"{named(record)}: {record.state} - {record.reason}"


def ending_as_json(record: TrialRecord) -> dict[str, Any]:
    """What became of a trial, for programs; accuracies in [0, 1], ``seconds`` of its place."""
    return {
        "event": "trial",
        "trial": record.number,
        "state": str(record.state),
        "label": record.label,
        "teacher": record.teacher or None,
        "student": record.student,
        "repeats": record.repeats,
        "epochs": len(record.reports),
        "seconds": seconds(record),
        "values": dict(record.values),
        "reason": record.reason or None,
        "memory": str(record.second_try) if record.second_try else None,
    }


def _counts(tally: Tally) -> dict[str, int]:
    states = tally.states()
    return {f"num_{state}": states[state] for state in TrialState}
