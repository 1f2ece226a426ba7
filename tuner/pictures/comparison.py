"""Several fronts over each other, as a PNG."""

from io import BytesIO

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tuner.analysis.comparison import Comparison, Contender
from tuner.analysis.tables import attack_sentence, images_sentence
from tuner.pictures.front import FrontPicture
from tuner.pictures.png import draw_frame, draw_titles, legend_columns

COLOURS = ("#c8102e", "#1f5fa8", "#0f7b6c", "#b36b00", "#7a3fa0", "#5b6472", "#b0377a", "#3c7d22")
SHAPES = ("o", "s", "^", "D", "v", "P", "X", "<")
MOST = len(COLOURS)


def comparison_png(comparison: Comparison, title: str) -> bytes:
    """Fronts as staircases with their trials, what they beat faint; 1600 x 1120 pixels.

    Raises:
        ValueError: if there are more contenders than colours.
    """
    contenders = comparison.contenders
    if len(contenders) > MOST:
        raise ValueError(f"at most {MOST} fronts can be told apart, got {len(contenders)}")
    whole = FrontPicture(comparison.union)
    figure = Figure(figsize=(8, 5.6), dpi=200, layout="constrained")
    axes = figure.add_subplot()
    draw_frame(axes, whole)
    for index, contender in enumerate(contenders):
        _draw(axes, whole, contender, index)
    columns = legend_columns([_label(contender) for contender in contenders])
    figure.legend(loc="outside lower left", frameon=False, fontsize=9, ncols=columns)
    union = comparison.union
    how = f"Accuracy {images_sentence(union)}; robust: {attack_sentence(union)}."
    draw_titles(axes, title, f"{how} {whole.outside}")
    buffer = BytesIO()
    # no software version inside: the same results give the same bytes
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _label(contender: Contender) -> str:
    return f"{contender.name} ({len(contender.results.complete)} configs)"


def _draw(axes: Axes, whole: FrontPicture, contender: Contender, index: int) -> None:
    picture = FrontPicture(contender.results, frame=(whole.x, whole.y))
    colour, shape = COLOURS[index], SHAPES[index]
    if picture.stairs:
        axes.plot(*zip(*picture.stairs, strict=True), color=colour, linewidth=1.6, zorder=3)
    inside = picture.inside
    best = [mark for mark in inside if mark.on_front]
    rest = [mark for mark in inside if not mark.on_front]
    axes.plot(
        [mark.x for mark in rest],
        [mark.y for mark in rest],
        shape,
        color=colour,
        alpha=0.25,
        markersize=5,
        markeredgewidth=0,
        zorder=2,
    )
    axes.plot(
        [mark.x for mark in best],
        [mark.y for mark in best],
        shape,
        color=colour,
        markersize=8,
        markeredgecolor="white",
        label=_label(contender),
        zorder=4,
    )
