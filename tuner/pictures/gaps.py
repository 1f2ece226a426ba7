"""Small pictures for the report: robust accuracy against the gaps of the features."""

from tuner.analysis.results import Results
from tuner.analysis.tables import attack_sentence, images_sentence
from tuner.diagnosis.correlations import ROBUST, GapRow, gaps_and_robustness
from tuner.pictures.front import axis_around, in_unit
from tuner.pictures.small import Panel
from tuner.quantities import words
from tuner.reporting.page import note


def gap_pictures(results: Results) -> str:
    """A scatter per gap that at least three complete trials report; empty if there is none."""
    rows = [row for row in gaps_and_robustness(results) if len(row.records) >= 3]
    if not rows:
        return ""
    point = "config" if results.study.replicates > 1 else "trial"
    told = (
        f"One dot per complete {point}, the front in red; gaps of the features under attack, "
        "relative to clean ones, after the last epoch. r is Pearson's, with its 95 % interval. "
        f"Accuracy {images_sentence(results)}; robust: {attack_sentence(results)}."
    )
    figures = "".join(_scatter(results, row) for row in rows)
    return f'{note(told)}<div class="small">{figures}</div>'


def _scatter(results: Results, row: GapRow) -> str:
    heights = [in_unit(ROBUST, value) for value in row.robust]
    across = axis_around("", [(gap, "front") for gap in row.gaps], ticks=4)
    up = axis_around("", [(height, "front") for height in heights], ticks=4)
    panel = Panel(across, up)
    roles = ["front" if results.ranks[r.number] == 0 else "searched" for r in row.records]
    points = sorted(zip(roles, row.gaps, heights, strict=True), reverse=True)  # the front on top
    dots = [_dot(*panel.place(gap, height), role) for role, gap, height in points]
    caption = f"{words(ROBUST)}, %, against {words(row.metric)}: {row.found}"
    return panel.figure("".join(dots), caption)


def _dot(x: float, y: float, role: str) -> str:
    circle = f"M{x + 3:.1f} {y:.1f}a3 3 0 1 1 -6 0a3 3 0 1 1 6 0z"
    return f'<g class="{role}"><path d="{circle}"/></g>'
