"""The report of a study: one page to read, send and print."""

from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path

from tuner.analysis.results import Gain, Results
from tuner.analysis.tables import attack_sentence, caption, images_sentence
from tuner.pictures.front_html import front_svg, interval_text, trials_table
from tuner.pictures.gaps import gap_pictures
from tuner.plain_yaml import yaml_text
from tuner.quantities import difference, is_accuracy, short, words, written
from tuner.records import TrialRecord
from tuner.reporting.again import again_section
from tuner.reporting.cost import cost_section, failures_section
from tuner.reporting.gains import doubt, overlap, runs, what_alignment_buys
from tuner.reporting.page import definitions, note, page, table
from tuner.reporting.weights import weights_section
from tuner.storage.atomic import write_atomically
from tuner.storage.directory import StudyDirectory


def write_report(
    results: Results,
    path: Path,
    *,
    facts: Mapping[str, str],
    folder: Path | None = None,
    verification: str = "",
) -> Path:
    """Write the report; one HTML file that loads nothing from anywhere.

    Args:
        results: the study as far as it has come.
        path: the file.
        facts: what the trials do not know, by name: wall time, hardware, commit, versions.
        folder: the study's directory, named in the commands; default: that of the file.
        verification: the front on the test split, as HTML that is escaped; empty if nobody has
            verified it.

    Returns:
        ``path``.
    """
    place = folder or path.parent
    sections = {
        "What was asked": _asked(results),
        "The front": _front(results, place, verification),
        "What alignment buys": _gains(results),
        "What the weights do": weights_section(results),
        "What the features do": gap_pictures(results),
        "What it cost": cost_section(results, facts),
        "What went wrong": failures_section(results),
        "How to do it again": again_section(results, place, facts),
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
    told = note(caption(results)) if results.complete else ""
    return f'<header>{title}<div class="tiles">{"".join(boxes)}</div>{told}</header>'


def _front(results: Results, folder: Path, verification: str) -> str:
    """The picture and all complete trials, then what became of the front on the test split."""
    if not results.complete:
        return note("No trial is complete yet, so there is no front.")
    command = f"tuner verify {StudyDirectory(folder)}"
    unverified = (
        "<p><b>Not verified.</b> These are validation numbers: the search chose these trials on "
        "the images on which they are measured here, so they flatter. On the test split, with "
        f"AutoAttack and several seeds, they are measured by <code>{escape(command)}</code>.</p>"
    )
    verified = f"<h3>Verified</h3>{verification}" if verification else unverified
    return front_svg(results) + verified + trials_table(results)


def _asked(results: Results) -> str:
    study = results.study
    objectives = (f"{o.metric} ({o.direction})" for o in study.objectives)
    students = sorted({record.student for record in results.records})
    data = sorted({record.config["data"]["name"] for record in results.records})
    facts = definitions(
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
    text = yaml_text(study.model_dump(mode="json"))
    whole = f"<details><summary>the whole study file</summary><pre>{escape(text)}</pre></details>"
    return facts + whole


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
    return f"{sentence}{table(names, rows)}{note(_honesty(results))}"


def _comparison(results: Results, gain: Gain, metric: str) -> list[str]:
    return [
        gain.student,
        f"{gain.baseline.label} (trial {gain.baseline.number})",
        short(metric),
        _with_interval(gain.baseline, metric),
        f"{_with_interval(gain.best, metric)} (trial {gain.best.number})",
        f"{'~ ' if doubt(gain, metric) else ''}{difference(metric, gain.gains[metric])}",
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
    mark = "~ " if overlap(record, gain.baseline, metric) else ""
    return f"{mark}{change} (trial {record.number})"


def _honesty(results: Results) -> str:
    return (
        "The searched trial of a student is the knee of its own searched trials "
        f"({len(results.searched)} for all students), chosen on the images it is measured on here; "
        f"a baseline is {runs(results)}. The gains are therefore optimistic: tuner evaluate "
        "measures a trial on the test split. Without loss: the most that a trial gains which is "
        "no worse than the baseline on every other objective. Ranges are Wilson 95 % intervals; "
        "they speak of the choice of images, not of the seed; ~ where those of trial and "
        f"baseline overlap. Accuracy {images_sentence(results)}; robust: "
        f"{attack_sentence(results)}."
    )
