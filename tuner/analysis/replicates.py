"""One config, several seeds: its objectives are their means."""

import dataclasses
import statistics
from collections import defaultdict
from collections.abc import Iterable

from tuner.records import Metrics, TrialRecord, TrialState


def groups(records: Iterable[TrialRecord]) -> dict[int, list[TrialRecord]]:
    """Complete trials by the number of the first trial of their config; that one comes first."""
    found: dict[int, list[TrialRecord]] = defaultdict(list)
    for record in sorted(records, key=lambda record: record.number):
        if record.state == TrialState.complete:
            found[record.number if record.repeats is None else record.repeats].append(record)
    return found


def merge_replicates(records: Iterable[TrialRecord]) -> list[TrialRecord]:
    """One complete record per config, by number: the first trial's, with means and spreads.

    Its last report holds means, too, so that constraints are held by all seeds together.
    The standard deviation is that of a sample (n - 1); a single trial has none.
    """
    return [_merged(members) for members in groups(records).values()]


def _merged(members: list[TrialRecord]) -> TrialRecord:
    first = members[0]
    if len(members) == 1:
        return first
    columns = {name: [member.values[name] for member in members] for name in first.values}
    return dataclasses.replace(
        first,
        reports=(*first.reports[:-1], _mean_report(members)),
        values={name: statistics.fmean(values) for name, values in columns.items()},
        spread={name: statistics.stdev(values) for name, values in columns.items()},
        replicates=len(members),
    )


def _mean_report(members: list[TrialRecord]) -> Metrics:
    """Of the last reports: constraints and alarms are of the same seeds as the objectives."""
    return {
        name: statistics.fmean(member.metrics[name] for member in members)
        for name in members[0].metrics
        if all(name in member.metrics for member in members)
    }
