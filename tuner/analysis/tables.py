"""A study as rows: for the terminal, for files, for MLflow, and in a sentence."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from tuner.analysis.narrow import LEAST_TEXT, left_out
from tuner.analysis.narrow import plain_table as plain_table
from tuner.analysis.results import Results
from tuner.quantities import (
    attack_name,
    count,
    interval,
    measured,
    num_images,
    short,
    weight,
    written,
)
from tuner.quantities import wilson as wilson
from tuner.records import SYMBOLS, TrialRecord
from tuner.search.remaining import missing

Row = dict[str, Any]
NARROW = {
    "trial": "#",
    "parameters": "size",
    "alpha": "α",
    "beta": "β",
    "gamma": "γ",
    "lambda": "λ",
    "mu": "μ",
    "temperature": "τ",
}
"""Headings for a terminal of 80 columns."""

TEXT = {"teacher > student", "student", "method", "label"}
OPTIONAL = [NARROW.get(name, name) for name in ("parameters", "temperature", *reversed(SYMBOLS))]
"""Columns that a narrow terminal goes without, the first one first."""

WIDE = 1000


def temperature(config: Mapping[str, Any]) -> float | None:
    """Temperature of the logit alignment, else of the method; None where neither has one."""
    owner = config["alignments"].get("logits") or config["method"]
    value = owner.get("temperature")
    return None if value is None else float(value)


def row(results: Results, record: TrialRecord) -> Row:
    """One complete trial as JSON types; accuracies in [0, 1], None where something is not known.

    What matters most comes first: a page may be too narrow for all.
    """
    parameters = record.metrics.get("student/parameters")
    on_front = results.ranks[record.number] == 0
    return {
        "trial": record.number,
        **{metric: record.values[metric] for metric in results.metrics},
        "student": record.student,
        "label": record.label,
        "knee": on_front and record.number == results.knee.number,
        "on_front": on_front,
        **({"seeds": record.replicates} if results.study.replicates > 1 else {}),
        **_spreads(results, record),
        "images": num_images(record),
        "teacher": record.teacher or None,
        "parameters": None if parameters is None else int(parameters),
        "method": record.config["method"]["name"],
        **record.weights,
        "temperature": temperature(record.config),
        "epochs": record.config["epochs"],
    }


def _spreads(results: Results, record: TrialRecord) -> Row:
    """Standard deviations over seeds; None of a config whose second seed is still to come."""
    if results.study.replicates == 1:
        return {}
    return {f"sd {metric}": record.spread.get(metric) for metric in results.metrics}


def front_rows(results: Results) -> list[Row]:
    """The front, then the baselines that are not on it; see ``row`` for the columns."""
    beaten = [record for record in results.baselines if results.ranks[record.number] > 0]
    return [row(results, record) for record in [*results.front, *beaten]]


def cells(results: Results, record: TrialRecord) -> list[str]:
    """One complete trial as a person reads it, under ``headings``."""
    entry = row(results, record)
    soft = entry["temperature"]
    return [
        str(record.number),
        *(_value(record, metric) for metric in results.metrics),
        record.pair if _several_teachers(results) else record.student,
        *([] if "student/parameters" in results.metrics else [_parameters(entry)]),
        *([entry["method"]] if _several_methods(results) else []),
        *(weight(record.weights[symbol]) for symbol in _symbols(results)),
        "-" if soft is None else f"{soft:.2g}",
        label(results, record),
    ]


def _value(record: TrialRecord, metric: str) -> str:
    """A mean over seeds with its standard deviation, or the value of the only one."""
    spread = record.spread.get(metric)
    value = written(metric, record.values[metric])
    return value if spread is None else f"{value} ±{written(metric, spread)}"


def headings(results: Results) -> list[str]:
    """Names of the columns of ``cells``."""
    objectives = [short(metric) for metric in results.metrics]
    parameters = [] if "student/parameters" in results.metrics else ["parameters"]
    return [
        "trial",
        *objectives,
        "teacher > student" if _several_teachers(results) else "student",
        *parameters,
        *(["method"] if _several_methods(results) else []),
        *_symbols(results),
        "temperature",
        "label",
    ]


def _several_teachers(results: Results) -> bool:
    return len(results.study.teachers) > 1


def _several_methods(results: Results) -> bool:
    """Whether the search itself varies the method; baselines say theirs by their label."""
    return len({r.config["method"]["name"] for r in results.records if not r.is_baseline}) > 1


def _symbols(results: Results) -> list[str]:
    """The papers' four weights, and any other that a trial of the study has."""
    used = {
        symbol for record in results.records for symbol, value in record.weights.items() if value
    }
    return [symbol for symbol in SYMBOLS if symbol != "mu" or symbol in used]


def _parameters(entry: Row) -> str:
    return "-" if entry["parameters"] is None else count(entry["parameters"])


def label(results: Results, record: TrialRecord) -> str:
    """The trial's label, and whether it is the knee or a baseline that nothing has beaten."""
    parts = [] if record.label == "searched" else [record.label]
    if results.ranks[record.number] == 0:
        knee = record.number == results.knee.number
        parts += ["knee"] if knee else ["front"] if record.is_baseline else []
    return ", ".join(parts)


def front_table(results: Results, width: int = WIDE) -> Table:
    """The front, the knee marked; under a line, the baselines of each student.

    A baseline that is on the front stands in both parts and says so. In a terminal of fewer columns
    than ``width`` should be, size, temperature and weights go, and the caption says so.
    """
    own = sorted(results.baselines, key=lambda record: (record.student, record.number))
    names = [NARROW.get(name, name) for name in headings(results)]
    front = [cells(results, record) for record in results.front]
    baselines = [cells(results, record) for record in own]
    gone = left_out(names, front + baselines, width, text=TEXT, optional=OPTIONAL)
    more = f" Too narrow for {', '.join(gone)}: tuner front --format csv has all." if gone else ""
    title = f"Front of {results.study.name}{so_far(results)}"
    table = plain_table(title, caption=f"{caption(results)}{more}")
    kept = [column for column, name in enumerate(names) if name not in gone]
    for name in (names[column] for column in kept):
        table.add_column(
            name,
            justify="left" if name in TEXT else "right",
            no_wrap=name not in TEXT,
            overflow="fold",
            min_width=LEAST_TEXT if name in TEXT else None,
        )
    for record, texts in zip(results.front, front, strict=True):
        style = "bold" if record.number == results.knee.number else ""
        table.add_row(*(Text(texts[column]) for column in kept), style=style)
    table.add_section()
    for texts in baselines:
        table.add_row(*(Text(texts[column]) for column in kept), style="dim")
    return table


def so_far(results: Results) -> str:
    """How far a study has come that is not at its end; empty for one that is."""
    left = missing(results.study, results.records)
    ended = len(results.records) - len(results.running)
    return f" so far: {ended} of {ended + left} trials have ended" if left else ""


def studies_table(studies: Mapping[str, Results], width: int = WIDE) -> Table:
    """One row per study, by the name of its folder, beside it its own name if that is another.

    Hypervolumes compare only where objectives and data are the same. In a terminal of too few
    columns, those of ``width``, counts and hypervolume go.
    """
    names = ["study", "complete", "stopped", "failed", "front", "volume", "best", "knee"]
    rows = [_study_cells(folder, results) for folder, results in studies.items()]
    gone = left_out(names, rows, width, text={"best"}, optional=["stopped", "failed", "volume"])
    table = plain_table("Studies")
    kept = [column for column, name in enumerate(names) if name not in gone]
    for name in (names[column] for column in kept):
        table.add_column(
            name,
            justify="left" if name in {"study", "best"} else "right",
            no_wrap=name != "best",
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(Text(row[column]) for column in kept))
    return table


def _study_cells(folder: str, results: Results) -> list[str]:
    name, summary = results.study.name, results.summary
    bests = {m: summary[f"best/{m.split('/')[-1]}"] for m in results.metrics if results.complete}
    return [
        folder if folder == name else f"{folder}\n({name})",
        f"{summary['trials/complete']:.0f} of {results.study.trials}",
        str(len(results.stopped)),
        str(len(results.failed)),
        str(len(results.front)),
        f"{results.hypervolume:.4g}",
        measured(bests),
        str(results.knee.number) if results.complete else "-",
    ]


def attack_sentence(results: Results) -> str:
    """The attack behind robust accuracy, from the trials; all of them, if they differ."""
    configs = [record.config for record in results.records] or [
        results.study.base.model_dump(mode="json")
    ]
    return "; or ".join(dict.fromkeys(attack_name(config) for config in configs))


def images_sentence(results: Results) -> str:
    """On how many validation images accuracies were measured; how wide the intervals are."""
    numbers = sorted({n for record in results.complete if (n := num_images(record))})
    if not numbers:
        return "on the validation split"
    widths = [
        high - low
        for record in results.front
        for metric in results.metrics
        if (found := interval(record, metric))
        for low, high in [found]
    ]
    images = "or ".join(f"{n:,} " for n in numbers)
    half = f", 95 % intervals up to ±{50 * max(widths):.1f} points" if widths else ""
    return f"on {images}validation images{half}"


def seeds_sentence(results: Results) -> str:
    """Over how many seeds the values are means; empty for one."""
    numbers = sorted({record.replicates for record in results.complete})
    if results.study.replicates == 1 or not numbers:
        return ""
    seeds = " to ".join(str(n) for n in sorted({numbers[0], numbers[-1]}))
    return f" Values are means over {seeds} seeds, ± their standard deviation."


def constraints_sentence(results: Results) -> str:
    """Which bounds the front holds, and how many complete trials hold them; empty without any."""
    bounds = "; ".join(map(str, results.study.constraints))
    if not bounds:
        return ""
    held = f"held by {len(results.feasible)} of {len(results.complete)} complete trials"
    closest = "" if results.feasible else " (shown: the trials that come closest)"
    return f" Constraints: {bounds}, {held}{closest}."


def caption(results: Results) -> str:
    """Under what conditions the numbers hold, and which of them are in doubt."""
    masked = [str(r.number) for r in results.front if r.metrics.get("val/masking_alarm")]
    alarm = f" Masked gradients are likely in trial {', '.join(masked)}." if masked else ""
    over = [str(r.number) for r in results.front if r.metrics.get("val/overfitting_alarm")]
    alarm += f" Robust overfitting in trial {', '.join(over)}." if over else ""
    alarm += constraints_sentence(results) + seeds_sentence(results)
    return f"Accuracy {images_sentence(results)}; robust: {attack_sentence(results)}.{alarm}"
