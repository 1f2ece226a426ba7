"""The report of a study: one page to read, send and print."""

from collections import Counter
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path

from tuner.atomic import write_atomically
from tuner.front_html import front_svg, interval_text, trials_table
from tuner.gains import doubt, runs, what_alignment_buys
from tuner.gap_pictures import gap_pictures
from tuner.page import definitions, page, table
from tuner.quantities import difference, is_accuracy, short, words, written
from tuner.records import TrialRecord
from tuner.results import Gain, Results
from tuner.small_pictures import hypervolume_picture, weight_pictures
from tuner.tables import attack_sentence, images_sentence

Importances = Mapping[str, Mapping[str, float]]


def write_report(
    results: Results,
    path: Path,
    *,
    facts: Mapping[str, str],
    importances: Importances | None = None,
) -> Path:
    """Write the report; one HTML file that loads nothing from anywhere.

    Args:
        results: the study as far as it has come.
        path: where; its folder is named in the commands as the study's directory.
        facts: what the trials do not know, by name: wall time, hardware, commit, versions.
        importances: share of each parameter in the spread of each objective, in [0, 1], as Optuna
            computes it; left out when None.

    Returns:
        ``path``.
    """
    sections = {
        "What was asked": _asked(results),
        "The front": front_svg(results) + trials_table(results) if results.complete else "",
        "What alignment buys": _gains(results),
        "What the weights do": _weights(results, importances or {}),
        "What the features do": gap_pictures(results),
        "What it cost": _cost(results, facts),
        "What went wrong": _failures(results),
        "How to do it again": _commands(results, path.parent),
    }
    body = _head(results) + "".join(
        f"<section><h2>{title}</h2>{content}</section>"
        for title, content in sections.items()
        if content
    )
    return write_atomically(path, page(f"Report on {results.study.name}", body))


def _head(results: Results) -> str:
    best = {
        f"best {words(metric)}": written(metric, results.summary[f"best/{metric.split('/')[-1]}"])
        + (" %" if is_accuracy(metric) else "")
        for metric in results.metrics
        if results.complete
    }
    tiles = {
        "trials complete": f"{results.summary['trials/complete']:.0f} of {results.study.trials}",
        "trials on the front": str(len(results.front)),
        **best,
        "hypervolume": f"{results.hypervolume:.4g}",
    }
    boxes = (f"<div><b>{escape(v)}</b><span>{escape(k)}</span></div>" for k, v in tiles.items())
    title = f"<h1>{escape(results.study.name)}</h1><p>{escape(results.study.description)}</p>"
    return f'<header>{title}<div class="tiles">{"".join(boxes)}</div></header>'


def _asked(results: Results) -> str:
    study = results.study
    objectives = (f"{o.metric} ({o.direction})" for o in study.objectives)
    students = sorted({record.student for record in results.records})
    data = sorted({record.config["data"]["name"] for record in results.records})
    return definitions(
        {
            "objectives": ", ".join(objectives),
            "search space": study.search_space,
            "teachers": _listed(f"{k} ({v.label})" for k, v in study.teachers.items()),
            "students": _listed(students),
            "data": f"{_listed(data)}; accuracies {images_sentence(results)}",
            "validation attack": attack_sentence(results),
            "sampler": f"{study.sampler.name}, seed {study.sampler.seed}",
            "epochs": _listed(sorted({str(r.config["epochs"]) for r in results.records})),
            "trials": f"{study.trials}, baselines included",
        }
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _gains(results: Results) -> str:
    sentence = f"<p>{escape(what_alignment_buys(results))}</p>"
    if not results.baseline_gain:
        return sentence
    names = ["student", "against", "objective", "baseline", "searched", "gain", "without loss"]
    rows = [
        _comparison(results, gain, metric)
        for gain in results.baseline_gain
        for metric in results.metrics
    ]
    return f"{sentence}{table(names, rows)}<p class='note'>{escape(_honesty(results))}</p>"


def _comparison(results: Results, gain: Gain, metric: str) -> list[str]:
    return [
        gain.student,
        f"{gain.baseline.label} (trial {gain.baseline.number})",
        short(metric),
        _with_interval(gain.baseline, metric),
        f"{_with_interval(gain.best, metric)} (trial {gain.best.number})",
        difference(metric, gain.gains[metric]) + doubt(gain, metric),
        _offer(results, gain, metric),
    ]


def _with_interval(record: TrialRecord, metric: str) -> str:
    found = interval_text(record, metric)
    value = written(metric, record.values[metric])
    return f"{value}, {found}" if found else value


def _offer(results: Results, gain: Gain, metric: str) -> str:
    record = gain.free.get(metric)
    if record is None:
        return "nothing"
    change = difference(metric, results.gain(metric, record, gain.baseline))
    return f"{change} (trial {record.number})"


def _honesty(results: Results) -> str:
    return (
        "The searched trial of a student is the knee of its own searched trials "
        f"({len(results.searched)} for all students), chosen on the images it is measured on here; "
        f"a baseline is {runs(results)}. The gains are therefore optimistic: tuner evaluate "
        "measures a trial on the test split. Without loss: the most that a trial gains which is "
        "no worse than the baseline on every other objective. Ranges are Wilson 95 % intervals; "
        "they speak of the choice of images, not of the seed."
    )


def _weights(results: Results, importances: Importances) -> str:
    if not results.searched:
        return ""
    legend = (
        '<p class="note">One dot per searched trial, the front in red; weights on a logarithmic '
        "axis, a weight of 0 at its left end.</p>"
    )
    return legend + weight_pictures(results) + _importances(importances)


def _importances(importances: Importances) -> str:
    if not importances:
        return ""
    parameters = sorted({name for shares in importances.values() for name in shares})
    rows = [
        [name, *(f"{100 * shares.get(name, 0):.0f} %" for shares in importances.values())]
        for name in parameters
    ]
    head = ["share in the spread of", *map(words, importances)]
    return table(head, rows)


def _cost(results: Results, facts: Mapping[str, str]) -> str:
    grown = hypervolume_picture(results)
    picture = f'<div class="small">{grown}</div>' if grown else ""
    return definitions({**facts, "epochs trained": f"{_epochs(results):,}"}) + picture


def _epochs(results: Results) -> int:
    return sum(len(record.reports) for record in results.records)


def _failures(results: Results) -> str:
    if not results.failed and not results.stopped:
        return "<p>Nothing: no trial failed, none was stopped.</p>"
    rows = [[str(record.number), record.pair, record.reason] for record in results.failed]
    failed = table(["trial", "teacher > student", "why it failed"], rows, prose=2) if rows else ""
    reasons = Counter(record.reason for record in results.stopped).most_common()
    counted = [[str(number), reason] for reason, number in reasons]
    stopped = table(["trials", "why they were stopped early"], counted, prose=1) if counted else ""
    return failed + stopped


def _commands(results: Results, directory: Path) -> str:
    folder = directory.as_posix()
    commands = {f"tuner run {folder}/study.yaml": "the whole study; again: takes it up"}
    if results.complete:
        trial = f"{folder}/trials/{results.knee.number:04d}"
        commands |= {
            f"tuner export {folder} --pick knee": "the config of a point of the front",
            f"tuner train {folder}/front/configs/knee.yaml": "train the knee again",
            f"tuner evaluate {trial}": "measure the knee on the test split",
        }
    width = max(map(len, commands)) + 2
    lines = [f"{command:<{width}}# {purpose}" for command, purpose in commands.items()]
    note = "Same config, same machine: the same numbers."
    return f"<pre>{escape(chr(10).join(lines))}</pre><p class='note'>{note}</p>"
