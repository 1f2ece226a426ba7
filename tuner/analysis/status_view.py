"""Where a study stands, for people at a terminal."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tuner.analysis.costs import SECONDS
from tuner.analysis.reasons import kinds
from tuner.analysis.status import Status
from tuner.running.live_view import front_view, running_table
from tuner.running.time_left import clock

MOST_FAILURES = 12
MOST_RUNNING = 16


def show_status(status: Status, console: Console) -> None:
    """Counts, cost, running trials, the front so far, failures; then what to do next."""
    results = status.results
    console.print(Text(_head(status), style="bold"), soft_wrap=True)
    console.print(_counts(status), soft_wrap=True, markup=False)
    console.print(_cost(status), soft_wrap=True, markup=False)
    if results.running:
        console.print(running_table(results.running, console.width, MOST_RUNNING, now=status.now))
    for part in front_view(results, console.width, 20):
        console.print(part)
    if results.failed:
        console.print(_failures(status))
    for line in [*_tried_again(status), *_stopped(status)]:
        console.print(line, soft_wrap=True, markup=False)
    console.print(_next(status), soft_wrap=True, markup=False)


def _head(status: Status) -> str:
    name = status.results.study.name
    if status.driver:
        left = status.seconds_left
        when = "time left unknown" if left is None else f"about {clock(left)} left"
        return f"{name}: running (process {status.driver}), {when}"
    changed = status.changed
    ago = "" if changed is None else f", the last change was {clock(status.now - changed)} ago"
    return f"{name}: {status.state}{ago}; nothing runs"


def _counts(status: Status) -> str:
    results = status.results
    ended = [
        f"{number} {what}"
        for number, what in (
            (len([r for r in results.records if r.state == "complete"]), "complete"),
            (len(results.stopped), "stopped early"),
            (len(results.failed), "failed"),
            (len(results.running), "running" if status.driver else "unfinished"),
            (status.to_come, "to come"),
        )
        if number
    ]
    return f"trials: {', '.join(ended) or 'none'}; {results.study.trials} were asked for"


def _cost(status: Status) -> str:
    study, by_state = status.results.study, status.hours_by_state
    if not any(SECONDS in record.metrics for record in status.results.records):
        return f"cost: {status.num_epochs:,} epochs; how long they took was not reported"
    place = "GPU" if study.resources.gpus else "CPU place"
    lost = by_state["stopped"] + by_state["failed"]
    return (
        f"cost: {status.num_epochs:,} epochs, {sum(by_state.values()):.3g} {place} hours, "
        f"{lost:.3g} of them in trials that were stopped or failed"
    )


def _failures(status: Status) -> Table:
    failed = status.results.failed
    table = Table(title="failed", title_justify="left", box=None, pad_edge=False)
    table.add_column("trial", justify="right", style="dim")
    table.add_column("why", overflow="fold")
    for record in failed[:MOST_FAILURES]:
        table.add_row(str(record.number), Text(f"{record.reason} ({record.pair})"))
    if len(failed) > MOST_FAILURES:
        table.add_row("…", f"{len(failed) - MOST_FAILURES} more")
    return table


def _tried_again(status: Status) -> list[str]:
    """A line per trial that ran out of memory; of many, the first ones."""
    found = status.tried_again
    lines = [f"trial {record.number}: {record.second_try}" for record in found[:MOST_FAILURES]]
    more = len(found) - len(lines)
    return [*lines, f"{more} more were tried again for memory"] if more else lines


def _stopped(status: Status) -> list[str]:
    found = kinds(status.results.stopped)
    return [f"{number} stopped early: {kind}" for kind, number in found[:3]]


def _next(status: Status) -> str:
    path = status.directory
    if status.driver:
        return f"look at its front so far: tuner front {path}"
    if status.state == "finished":
        return f"look at it: tuner front {path}"
    return f"go on with: tuner resume {path}"
