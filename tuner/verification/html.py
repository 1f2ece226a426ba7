"""A verification as a section of the report: sentences, a picture, a table; loads nothing."""

from collections.abc import Iterable
from html import escape
from pathlib import Path

from tuner.analysis.results import Results
from tuner.reporting.page import scrolling_table
from tuner.verification.measured import CLEAN, Verification, VerifiedMember, load_verification
from tuner.verification.table import (
    caption,
    cells,
    headings,
    parts,
    sentences,
    stale_sentence,
)

WIDTH, HEIGHT, LEFT, BOTTOM, MARGIN = 680, 400, 72, 58, 16
Span = tuple[float, float]


def verification_section(found: Verification) -> str:
    """HTML, escaped; for ``tuner.reporting.page.page``, whose styles it uses."""
    told = "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences(found))
    if not found.measured:
        return told
    note = f'<p class="note">{escape(caption(found))}</p>'
    return f"{told}{picture(found)}{_table(found)}{note}"


def verified_section(directory: Path, results: Results) -> str:
    """The section of a study's report; says which members of the front came later.

    Empty, if nobody has verified it.

    Args:
        directory: the study's.
        results: the study as it stands.
    """
    found = load_verification(directory)
    if found is None:
        return ""
    stale = stale_sentence(found, results)
    later = f"<p>{escape(stale)} {escape(directory.as_posix())}</p>" if stale else ""
    return later + verification_section(found)


def _table(found: Verification) -> str:
    names = headings(found)
    textual = {names.index("student"), names.index("verdict")}
    head = "".join(f"<th{_class(i in textual)}>{escape(name)}</th>" for i, name in enumerate(names))
    body = ""
    for title, members in parts(found).items():
        body += f'<tr class="part"><th colspan="{len(names)}">{escape(title)}</th></tr>'
        body += "".join(_row(found, member, textual) for member in members)
    return scrolling_table(head, body)


def _row(found: Verification, member: VerifiedMember, textual: set[int]) -> str:
    texts = []
    for i, text in enumerate(cells(found, member, "\n")):
        value, _, below = text.partition("\n")
        small = f"<small>{escape(below)}</small>" if below else ""
        texts.append(f"<td{_class(i in textual)}>{escape(value)}{small}</td>")
    knee = found.is_on_front(member) and member.trial == found.results.knee.number
    kind = "knee" if knee else "other"
    return f'<tr class="{kind}">{"".join(texts)}</tr>'


def _class(textual: bool) -> str:
    return ' class="text"' if textual else ""


def picture(found: Verification) -> str:
    """Clean accuracy across, robust accuracy up: a line from validation to test per member."""
    points = [point for member in found.measured for point in _ends(found, member) if point]
    x, y = (_span([point[axis] for point in points]) for axis in (0, 1))
    inner = "".join([*_axes(x, y), *(_member(found, member, x, y) for member in found.measured)])
    label = "verified points, each with a line from where validation saw it"
    return (
        f'<figure class="main"><svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{label}">{inner}</svg><figcaption class="note">Each line leads from what '
        "validation promised to the mean on the test split (dot): red the verified front, grey "
        "beaten, rings baselines.</figcaption></figure>"
    )


def _ends(found: Verification, member: VerifiedMember) -> tuple[Span | None, Span]:
    """What validation promised, where it measured both accuracies, and what the test split says."""
    promised = [member.validation.get(f"val/{name}_accuracy") for name in ("clean", "robust")]
    known = [100 * value for value in promised if value is not None]
    clean = member.estimate(CLEAN, 0.0).mean
    robust = member.estimate(found.attack, found.threat.epsilon).mean
    return (known[0], known[1]) if len(known) == 2 else None, (100 * clean, 100 * robust)


def _span(values: list[float]) -> Span:
    """A range in percent with room around it, in whole tens."""
    low, high = 10 * (min(values) // 10), 10 * -(-max(values) // 10)
    return low, high if high > low else low + 10


def _across(x: Span, value: float) -> float:
    return LEFT + (value - x[0]) / (x[1] - x[0]) * (WIDTH - LEFT - MARGIN)


def _down(y: Span, value: float) -> float:
    return HEIGHT - BOTTOM - (value - y[0]) / (y[1] - y[0]) * (HEIGHT - BOTTOM - MARGIN)


def _axes(x: Span, y: Span) -> Iterable[str]:
    floor = HEIGHT - BOTTOM
    for tick in _ticks(x):
        place = f"{_across(x, tick):.1f}"
        yield f'<path class="grid" d="M{place} {MARGIN}V{floor}"/>'
        yield f'<text x="{place}" y="{floor + 22}" text-anchor="middle">{tick:g}</text>'
    for tick in _ticks(y):
        place = f"{_down(y, tick):.1f}"
        yield f'<path class="grid" d="M{LEFT} {place}H{WIDTH - MARGIN}"/>'
        yield f'<text x="{LEFT - 8}" y="{place}" dy="5" text-anchor="end">{tick:g}</text>'
    middle, centre = (LEFT + WIDTH) / 2, floor / 2
    yield f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">clean accuracy, %</text>'
    yield (
        f'<text transform="translate(20 {centre}) rotate(-90)" text-anchor="middle">'
        "robust accuracy, %</text>"
    )


def _ticks(span: Span) -> list[float]:
    step = 10 if span[1] - span[0] <= 60 else 20
    return [span[0] + i * step for i in range(int((span[1] - span[0]) / step) + 1)]


def _member(found: Verification, member: VerifiedMember, x: Span, y: Span) -> str:
    promised, end = _ends(found, member)
    on_front = found.is_on_front(member)
    colour = "var(--front)" if on_front else "var(--b0)" if member.is_baseline else "var(--dot)"
    right, below = _across(x, end[0]), _down(y, end[1])
    line = ""
    if promised:
        start = f"{_across(x, promised[0]):.1f} {_down(y, promised[1]):.1f}"
        line = f'<path d="M{start}L{right:.1f} {below:.1f}" stroke="{colour}" opacity=".6"/>'
    fill = "var(--paper)" if member.is_baseline else colour
    name = found.names.get(member.trial, "")
    text = escape(f"trial {member.trial}: {end[0]:.1f} % clean, {end[1]:.1f} % robust")
    return (
        f'<g>{line}<circle cx="{right:.1f}" cy="{below:.1f}" r="5.5" fill="{fill}" '
        f'stroke="{colour}" stroke-width="2"><title>{text}</title></circle>'
        f'<text x="{right + 9:.1f}" y="{below - 6:.1f}">{name}</text></g>'
    )
