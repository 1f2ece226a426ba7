"""The front as a page: an SVG that answers mouse and keyboard, and a table of all trials."""

from collections.abc import Iterable, Sequence
from html import escape

from tuner.analysis.results import Results
from tuner.analysis.tables import caption, cells, headings, temperature
from tuner.pictures.front import Axis, FrontPicture, Mark
from tuner.quantities import count, interval, is_accuracy, measured, weight, written
from tuner.records import TrialRecord
from tuner.reporting.gains import what_alignment_buys
from tuner.reporting.page import page, scrolling_table
from tuner.tracking.run_links import RunLinks

WIDTH, HEIGHT = 680, 440
LEFT, RIGHT, TOP, BOTTOM = 72, 14, 14, 62
TEXTUAL = {"teacher > student", "student", "label"}

# each within a circle of radius 6 around the origin
SHAPES = (
    "M5 0A5 5 0 1 1 -5 0A5 5 0 1 1 5 0Z",
    "M-4.6 -4.6H4.6V4.6H-4.6Z",
    "M0 -6L5.6 4.4H-5.6Z",
    "M0 -6.2L6.2 0L0 6.2L-6.2 0Z",
    "M0 6L5.6 -4.4H-5.6Z",
    "M-2 -6H2V-2H6V2H2V6H-2V2H-6V-2H-2Z",
)


def front_html(results: Results, links: RunLinks | None = None) -> str:
    """A self-contained page: the picture, then every complete trial; loads nothing.

    Args:
        results: the study.
        links: where the trials' runs are, if MLflow shows the page.
    """
    body = (
        f"<h1>{escape(results.study.name)}</h1><p>{escape(what_alignment_buys(results))}</p>"
        f"{front_svg(results)}{links.note if links else ''}"
        f"{trials_table(results)}{links.script if links else ''}"
    )
    return page(f"Front of {results.study.name}", body)


def front_svg(results: Results) -> str:
    """The picture with its caption and legend; hover shows a trial, a click goes to its row."""
    if not results.complete:
        return '<p class="note">No trial is complete yet, so there is no front to draw.</p>'
    picture = FrontPicture(results)
    note = f"{caption(results)} {picture.outside}".strip()
    inner = "".join(
        [*_axes(picture), _stairs(picture), *(_mark(picture, m) for m in picture.inside)]
    )
    return (
        f'<figure class="main"><svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="group" '
        f'aria-label="front of the study">{inner}</svg>{_legend(picture)}'
        f'<figcaption class="note">{escape(note)}</figcaption></figure>'
    )


def _across(axis: Axis, value: float) -> float:
    return LEFT + axis.share(value) * (WIDTH - LEFT - RIGHT)


def _down(axis: Axis, value: float) -> float:
    return HEIGHT - BOTTOM - axis.share(value) * (HEIGHT - TOP - BOTTOM)


def _axes(picture: FrontPicture) -> Iterable[str]:
    floor = HEIGHT - BOTTOM
    for tick in picture.x.ticks:
        x = f"{_across(picture.x, tick):.1f}"
        yield f'<path class="grid" d="M{x} {TOP}V{floor}"/>'
        yield f'<text x="{x}" y="{floor + 22}" text-anchor="middle">{_tick(tick)}</text>'
    for tick in picture.y.ticks:
        y = _down(picture.y, tick)
        yield f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        yield f'<text x="{LEFT - 10}" y="{y + 5:.1f}" text-anchor="end">{_tick(tick)}</text>'
    below = f'y="{HEIGHT - 12}" text-anchor="middle"'
    middle, centre = (LEFT + WIDTH - RIGHT) / 2, (TOP + floor) / 2
    yield f'<text x="{middle}" {below}>{escape(picture.x.label)}</text>'
    yield (
        f'<text transform="translate(18 {centre}) rotate(-90)" text-anchor="middle">'
        f"{escape(picture.y.label)}</text>"
    )


def _tick(value: float) -> str:
    return count(value) if abs(value) >= 1e4 else f"{value:.4g}"


def _stairs(picture: FrontPicture) -> str:
    corners = [f"{_across(picture.x, x):.1f} {_down(picture.y, y):.1f}" for x, y in picture.stairs]
    return f'<path class="stairs" d="M{"L".join(corners)}"/>' if corners else ""


def _mark(picture: FrontPicture, mark: Mark) -> str:
    x, y = _across(picture.x, mark.x), _down(picture.y, mark.y)
    text = escape(tip(picture.results, mark.record))
    colour = f" {_colour(picture, mark.record.label)}" if mark.role == "baseline" else ""
    size = ' transform="scale(.75)"' if mark.role == "searched" else ""
    return (
        f'<g class="mark {mark.role}{colour}" transform="translate({x:.1f} {y:.1f})" tabindex="0" '
        f'role="button" data-trial="{mark.record.number}" data-tip="{text}" aria-label="{text}">'
        f'<g{size}><path d="{_shape(picture, mark.record.student)}"/></g>'
        f"{_ring(mark)}</g>"
    )


def _ring(mark: Mark) -> str:
    if not mark.is_knee:
        return ""
    return '<circle class="ring" r="11"/><text class="word" x="15" y="4">knee</text>'


def tip(results: Results, record: TrialRecord) -> str:
    """What the mouse shows of a trial, in lines of plain text."""
    soft = temperature(record.config)
    active = [f"{symbol} {weight(value)}" for symbol, value in record.weights.items() if value]
    lines = [
        f"trial {record.number}, {record.label}",
        measured(record.values),
        record.pair,
        f"method {record.config['method']['name']}",
        ", ".join(active) or "no alignment",
        "" if soft is None else f"temperature {soft:.3g}",
        "on the front" if results.ranks[record.number] == 0 else "",
    ]
    return "\n".join(line for line in lines if line)


def _shape(picture: FrontPicture, student: str) -> str:
    return SHAPES[picture.students.index(student) % len(SHAPES)]


def _colour(picture: FrontPicture, baseline: str) -> str:
    return f"b{picture.baselines.index(baseline) % 4}"


def _legend(picture: FrontPicture) -> str:
    circle = f'<path d="{SHAPES[0]}"/>'
    entries = [
        ("key front", circle, "front"),
        ("", '<circle class="ring" r="6.5"/>', picture.knee_text),
        *(("key searched", f'<path d="{_shape(picture, s)}"/>', s) for s in picture.students),
        *(
            (f"key baseline {_colour(picture, name)}", circle, f"baseline: {name}")
            for name in picture.baselines
        ),
    ]
    box = '<svg viewBox="-8 -8 16 16" aria-hidden="true">'
    items = "".join(
        f'<li>{box}<g class="{kind}">{drawing}</g></svg>{escape(text)}</li>'
        for kind, drawing, text in entries
    )
    return f'<ul class="legend">{items}</ul>'


def trials_table(results: Results) -> str:
    """Every complete trial: the front, the baselines it beats, and folded away the others."""
    beaten = [record for record in results.complete if results.ranks[record.number] > 0]
    baselines = [record for record in beaten if record.is_baseline]
    others = [record for record in beaten if not record.is_baseline]
    shown = _table(results, {"On the front": results.front, "Other baselines": baselines})
    summary = f"{len(others)} other complete trials"
    folded = f"<details><summary>{summary}</summary>{_table(results, {'': others})}</details>"
    return shown + (folded if others else "")


def _table(results: Results, parts: dict[str, Sequence[TrialRecord]]) -> str:
    names = headings(results)
    head = "".join(f"<th{_textual(name)}>{escape(name)}</th>" for name in names)
    body = "".join(
        _part(title, len(names)) + "".join(_row(results, record) for record in records)
        for title, records in parts.items()
        if records
    )
    return scrolling_table(head, body)


def _part(title: str, columns: int) -> str:
    return f'<tr class="part"><th colspan="{columns}">{escape(title)}</th></tr>' if title else ""


def _textual(heading: str) -> str:
    return ' class="text"' if heading in TEXTUAL else ""


def _row(results: Results, record: TrialRecord) -> str:
    kind = "knee" if results.knee.number == record.number else "other"
    named = zip(headings(results), cells(results, record), strict=True)
    texts = [f"<td{_textual(name)}>{escape(text)}" for name, text in named]
    for column, metric in enumerate(results.metrics, start=1):
        texts[column] += f"<small>{interval_text(record, metric)}</small>"
    return (
        f'<tr id="trial-{record.number}" data-trial="{record.number}" class="{kind}">'
        f"{'</td>'.join(texts)}</td></tr>"
    )


def interval_text(record: TrialRecord, metric: str) -> str:
    """The Wilson 95 % interval in percent, ``93.9 to 97.9``; empty where it is not known."""
    found = interval(record, metric) if is_accuracy(metric) else None
    return f"{written(metric, found[0])} to {written(metric, found[1])}" if found else ""
