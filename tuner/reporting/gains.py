"""What alignment buys: the search against the baselines of the same student, in rows and words."""

from rich.table import Table
from rich.text import Text

from tuner.analysis.results import Gain, Results
from tuner.analysis.tables import NARROW, plain_table
from tuner.quantities import difference, interval, measured, words
from tuner.records import TrialRecord


def gains_table(results: Results) -> Table:
    """A row per student and baseline: what the search gains on every objective.

    First the knee of the student's own search, then, by objective, the trial that gains most while
    it is nowhere worse than the baseline. A ``~`` marks gains whose 95 % intervals overlap.
    """
    table = plain_table(
        "What alignment buys, by student: points gained over its baselines",
        caption="Trial numbers in brackets; ~ where the 95 % intervals of the choice of images "
        f"overlap; the choice of seeds comes on top.{_minimised(results)} The search chose among "
        f"several configs on these images, a baseline is {runs(results)}: gains are optimistic.",
    )
    short = [words(metric).removesuffix(" accuracy") for metric in results.metrics]
    names = [NARROW.get(name, name) for name in short]
    for heading in ("student", "against"):
        table.add_column(heading, no_wrap=True)
    for heading in (*(f"knee: {n}" for n in names), *(f"no loss: {n}" for n in names)):
        table.add_column(heading, justify="right", overflow="fold")
    for gain in results.baseline_gain:
        knee = (_gained(results, gain, metric, gain.best) for metric in results.metrics)
        free = (_gained(results, gain, metric, gain.free.get(metric)) for metric in results.metrics)
        table.add_row(*map(Text, (gain.student, gain.baseline.label, *knee, *free)))
    return table


def _minimised(results: Results) -> str:
    """What a plus means where less is better; empty where nothing is minimised."""
    names = [words(metric) for metric in results.metrics if _is_minimised(results, metric)]
    return f" A plus is better, so it stands for less of {' and '.join(names)}." if names else ""


def _is_minimised(results: Results, metric: str) -> bool:
    directions = {objective.metric: objective.direction for objective in results.study.objectives}
    return directions[metric] == "minimize"


def runs(results: Results) -> str:
    """On how many seeds a baseline was trained."""
    seeds = results.study.replicates
    return "one run" if seeds == 1 else f"{seeds} runs"


def _gained(results: Results, gain: Gain, metric: str, trial: TrialRecord | None) -> str:
    if trial is None:
        return "-"
    value = results.gain(metric, trial, gain.baseline)
    amount = difference(metric, value).removesuffix(" points")
    mark = "~ " if overlap(trial, gain.baseline, metric) else ""
    return f"{mark}{amount} ({trial.number})"


def overlap(one: TrialRecord, other: TrialRecord, metric: str) -> bool:
    """Whether both 95 % intervals are known and overlap: the difference may be chance."""
    ours, theirs = interval(one, metric), interval(other, metric)
    if ours is None or theirs is None:
        return False
    return max(ours[0], theirs[0]) <= min(ours[1], theirs[1])


def what_alignment_buys(results: Results) -> str:
    """What the search gains over each baseline of the best student, and where nothing.

    The best student is that of the knee of all trials that are no baseline.
    """
    if not results.searched:
        return "No searched trial is complete yet, so what alignment buys is not known."
    student = Results(results.study, results.searched).knee.student
    gains = [gain for gain in results.baseline_gain if gain.student == student]
    if not gains:
        return f"No baseline of {student} is complete, so what alignment buys is not known."
    best = gains[0].best
    knee = f"trial {best.number} ({measured(best.values)})"
    head = f"The knee of the searched trials of {student} is {knee}."
    return " ".join([head, *(_against(results, gain) for gain in gains)])


def _against(results: Results, gain: Gain) -> str:
    baseline = f"{gain.baseline.label} (trial {gain.baseline.number})"
    return f"Against {baseline} it {_gained_and_lost(results, gain)}; {free_words(results, gain)}."


def _gained_and_lost(results: Results, gain: Gain) -> str:
    """``gains 4.7 points of robust accuracy and loses 2.0 points of clean accuracy``."""
    parts: dict[str, list[str]] = {"gains": [], "loses": [], "keeps": []}
    for metric in results.metrics:
        value = gain.gains[metric]
        verb = "gains" if value > 0 else "loses" if value < 0 else "keeps"
        amount = f"{_amount(results, metric, value)}{doubt(gain, metric)}"
        parts[verb].append(amount if value else words(metric))
    return " and ".join(f"{verb} {' and '.join(own)}" for verb, own in parts.items() if own)


def _amount(results: Results, metric: str, value: float) -> str:
    """``4.7 points of robust accuracy``; of what is minimised ``12 k less of parameters``."""
    change = "" if not _is_minimised(results, metric) else " less" if value > 0 else " more"
    return f"{difference(metric, abs(value)).removeprefix('+')}{change} of {words(metric)}"


def doubt(gain: Gain, metric: str) -> str:
    """A warning where the 95 % intervals of trial and baseline are known and overlap."""
    return " (intervals overlap)" if overlap(gain.best, gain.baseline, metric) else ""


def free_words(results: Results, gain: Gain) -> str:
    """The most that a trial of the student gains which is nowhere worse than the baseline."""
    offers = [
        f"{_amount(results, metric, results.gain(metric, record, gain.baseline))} "
        f"(trial {record.number}"
        f"{', intervals overlap' if overlap(record, gain.baseline, metric) else ''})"
        for metric, record in gain.free.items()
    ]
    if not offers:
        return "no searched trial of this student is better there without being worse elsewhere"
    return f"without losing anything elsewhere the search gains up to {' or '.join(offers)}"
