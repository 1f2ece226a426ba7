"""What a person sees while a study runs."""

import time
from collections import Counter
from datetime import timedelta
from typing import Any

from ray import tune
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tuner.records import TrialRecord, TrialState
from tuner.results import Results
from tuner.study import StudyConfig

REDRAW_SECONDS = 0.3


class Progress:
    """The newest state of every trial, drawn live on a terminal, line by line elsewhere."""

    def __init__(self, study: StudyConfig, records: list[TrialRecord], console: Console) -> None:
        self._study, self._console = study, console
        self._records = {record.number: record for record in records}
        self._epochs_before = self._epochs_done()
        self._began = self._drawn = time.monotonic()
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None

    def start(self) -> None:
        """Take over the end of the terminal."""
        self._began = time.monotonic()
        if self._live:
            self._live.start()

    def stop(self) -> None:
        """Give the terminal back."""
        if self._live:
            self._live.update(Text(""), refresh=True)
            self._live.stop()

    def update(self, record: TrialRecord) -> None:
        """Take note of a trial; without a terminal, print a line for each end."""
        self._records[record.number] = record
        if self._live is None and record.state != TrialState.running:
            self._console.print(f"{self.counts()}  {_ending(record)}", soft_wrap=True)

    def draw(self) -> None:
        """Refresh the terminal, a few times a second at the most."""
        now = time.monotonic()
        if self._live and now - self._drawn > REDRAW_SECONDS:
            self._drawn = now
            self._live.update(self._picture(), refresh=True)

    def counts(self) -> str:
        """Trials done, running and failed, and the time left."""
        states = Counter(record.state for record in self._records.values())
        failed = f", {states[TrialState.failed]} failed" if states[TrialState.failed] else ""
        return (
            f"{len(self._ended())}/{self._study.trials} trials done, "
            f"{states[TrialState.running]} running{failed}, {self._time_left()}"
        )

    def _ended(self) -> list[TrialRecord]:
        return [r for r in self._records.values() if r.state != TrialState.running]

    def _epochs_done(self) -> float:
        """Epochs behind us; a trial that ended early is wholly behind us."""
        planned = self._study.base.epochs
        running = (r for r in self._records.values() if r.state == TrialState.running)
        return planned * len(self._ended()) + sum(len(r.reports) for r in running)

    def _time_left(self) -> str:
        done = self._epochs_done() - self._epochs_before
        if not done:
            return "time left unknown"
        left = self._study.trials * self._study.base.epochs - self._epochs_done()
        seconds = (time.monotonic() - self._began) / done * max(left, 0)
        return f"about {timedelta(seconds=round(seconds))} left"

    def _picture(self) -> RenderableType:
        running = [r for r in self._records.values() if r.state == TrialState.running]
        results = Results(self._study, list(self._records.values()))
        parts: list[RenderableType] = [
            Text(self.counts(), style="bold"),
            _running_table(running),
        ]
        if results.front:
            parts.append(_front_table(results, self._study))
        return Group(*parts)


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


def _ending(record: TrialRecord) -> str:
    name = f"trial {record.number} ({record.pair}, {record.label})"
    if record.state == TrialState.complete:
        values = ", ".join(f"{_short(k)} {_number(v)}" for k, v in record.values.items())
        return f"{name}: {values}"
    return f"{name}: {record.state} - {record.reason}"


def _short(metric: str) -> str:
    return metric.rpartition("/")[2].replace("_", " ")


def _number(value: float) -> str:
    return f"{value:.1%}" if 0 <= value <= 1 else f"{value:g}"


def _running_table(records: list[TrialRecord]) -> Table:
    table = Table(title="running", title_justify="left", box=None, padding=(0, 2))
    for column in ("trial", "teacher > student", "epoch", "clean", "robust"):
        table.add_column(column)
    for record in records:
        metrics = record.metrics
        table.add_row(
            str(record.number),
            record.pair,
            f"{len(record.reports)}/{record.config['epochs']}",
            f"{metrics.get('val/clean_accuracy', float('nan')):.1%}",
            f"{metrics.get('val/robust_accuracy', float('nan')):.1%}",
        )
    return table


def _front_table(results: Results, study: StudyConfig) -> Table:
    table = Table(title="front so far", title_justify="left", box=None, padding=(0, 2))
    table.add_column("trial")
    table.add_column("teacher > student")
    for objective in study.objectives:
        table.add_column(_short(objective.metric))
    for record in results.front[:10]:
        values = (_number(record.values[o.metric]) for o in study.objectives)
        table.add_row(str(record.number), record.pair, *values)
    return table
