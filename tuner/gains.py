"""What alignment buys: the search against the baselines of the same student, in rows and words."""

from rich.table import Table
from rich.text import Text

from tuner.quantities import difference, interval, measured, short, words, written
from tuner.results import Gain, Results
from tuner.tables import plain_table


def gains_table(results: Results) -> Table:
    """A row per student and baseline: what the student's knee gains on every objective.

    A ``~`` marks a gain whose 95 % intervals overlap: it may be chance.
    """
    table = plain_table(
        "What alignment buys: the knee of each student's search against its baselines",
        caption="In points of accuracy; ~ where the 95 % intervals overlap. The search chose among "
        "several trials on these images, a baseline is one run: gains are optimistic.",
    )
    for heading in ("student", "knee", *map(short, results.metrics), "against"):
        table.add_column(heading, justify="left" if heading in {"student", "against"} else "right")
    for metric in results.metrics:
        table.add_column(f"gain in {words(metric).removesuffix(' accuracy')}", justify="right")
    for gain in results.baseline_gain:
        values = (written(metric, gain.best.values[metric]) for metric in results.metrics)
        gained = (_signed(gain, metric) for metric in results.metrics)
        cells = [gain.student, str(gain.best.number), *values, gain.baseline.label, *gained]
        table.add_row(*map(Text, cells))
    return table


def _signed(gain: Gain, metric: str) -> str:
    amount = difference(metric, gain.gains[metric]).removesuffix(" points")
    return f"~ {amount}" if doubt(gain, metric) else amount


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
    gained_first = sorted(results.metrics, key=lambda metric: gain.gains[metric] <= 0)
    parts = " and ".join(gain_words(gain, metric) for metric in gained_first)
    baseline = f"{gain.baseline.label} (trial {gain.baseline.number})"
    return f"Against {baseline} it gains {parts}; {free_words(results, gain)}."


def gain_words(gain: Gain, metric: str) -> str:
    """The gain on one objective: ``4.7 points of robust accuracy``, or that there is none."""
    value = gain.gains[metric]
    if value > 0:
        return f"{_amount(metric, value)}{doubt(gain, metric)}"
    lost = f" ({difference(metric, value)})" if value else ""
    return f"nothing in {words(metric)}{lost}"


def _amount(metric: str, value: float) -> str:
    return f"{difference(metric, value).removeprefix('+')} of {words(metric)}"


def doubt(gain: Gain, metric: str) -> str:
    """A warning where the 95 % intervals of trial and baseline are known and overlap."""
    ours, theirs = interval(gain.best, metric), interval(gain.baseline, metric)
    if ours is None or theirs is None or max(ours[0], theirs[0]) > min(ours[1], theirs[1]):
        return ""
    return " (intervals overlap)"


def free_words(results: Results, gain: Gain) -> str:
    """The most that a trial of the student gains which is nowhere worse than the baseline."""
    offers = [
        f"{_amount(metric, results.gain(metric, record, gain.baseline))} (trial {record.number})"
        for metric, record in gain.free.items()
    ]
    if not offers:
        return "no searched trial of this student is better there without being worse elsewhere"
    return f"without losing anything elsewhere the search gains up to {' or '.join(offers)}"
