"""What a study cost and what went wrong, as sections of the report."""

from collections.abc import Mapping

from tuner.analysis.costs import SECONDS, hours
from tuner.analysis.reasons import kinds
from tuner.analysis.results import Results
from tuner.pictures.small import hypervolume_picture
from tuner.records import TrialRecord, TrialState
from tuner.reporting.page import definitions, note, table
from tuner.running.session_facts import COSTS


def cost_section(results: Results, facts: Mapping[str, str]) -> str:
    """Hours by what became of the trials, time and memory, and how the hypervolume grew."""
    known = {name: facts[name] for name in COSTS if name in facts} | _period(results)
    grown = hypervolume_picture(results)
    picture = f'<div class="small">{grown}</div>' if grown else ""
    return _by_state(results) + definitions(known) + picture


def _by_state(results: Results) -> str:
    """A line per state; how much went into trials that gave no result."""
    place = "GPU" if results.study.resources.gpus else "CPU place"
    parts = {
        "complete": _in(results, TrialState.complete),
        "stopped early": results.stopped,
        "failed": results.failed,
        "unfinished": results.running,
    }
    rows = [_row(results, name, records) for name, records in parts.items() if records]
    rows += [_row(results, "all", list(results.records))]
    shown = table(["trials", "number", "epochs", f"{place} hours", "share"], rows)
    if any(SECONDS in record.metrics for record in results.records):
        return shown + note(f"A {place} hour is an hour in which a trial held one.")
    return shown + note("The trials of this study did not report their time.")


def _in(results: Results, state: TrialState) -> list[TrialRecord]:
    return [record for record in results.records if record.state == state]


def _row(results: Results, name: str, records: list[TrialRecord]) -> list[str]:
    own, whole = hours(results.study, records), hours(results.study, results.records)
    epochs = sum(len(record.reports) for record in records)
    spent = [f"{own:.3g}", f"{100 * own / whole:.0f} %"] if whole else ["-", "-"]
    return [name, str(len(records)), f"{epochs:,}", *spent]


def _period(results: Results) -> dict[str, str]:
    begun = [record.started for record in results.records if record.started]
    ended = [record.ended for record in results.records if record.ended]
    if not begun or not ended:
        return {}
    last = f"{max(ended).astimezone():%Y-%m-%d %H:%M %Z}"
    return {"first trial to last": f"{min(begun).astimezone():%Y-%m-%d %H:%M} to {last}"}


def failures_section(results: Results) -> str:
    """Which trials failed and why, which were tried again, and why others were stopped."""
    again = _tried_again(results)
    if not results.failed and not results.stopped:
        return "<p>Nothing: no trial failed, none was stopped.</p>" + again
    rows = [[str(record.number), record.pair, record.reason] for record in results.failed]
    failed = table(["trial", "teacher > student", "why it failed"], rows, prose=2) if rows else ""
    counted = [[str(number), kind] for kind, number in kinds(results.stopped)]
    stopped = table(["trials", "why they were stopped early"], counted, prose=1) if counted else ""
    return (failed or "<p>No trial failed.</p>") + again + stopped


def _tried_again(results: Results) -> str:
    """The trials that ran out of memory, and what was done about it."""
    rows = [
        [str(record.number), record.pair, str(record.second_try), str(record.state)]
        for record in results.records
        if record.second_try
    ]
    heads = ["trial", "teacher > student", "what it ran out of, and what was done", "now"]
    return table(heads, rows, prose=2) if rows else ""
