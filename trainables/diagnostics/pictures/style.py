"""What all pictures share: colours, plain axes, and their bytes."""

from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT, NOTE = "#1d2330", "#e6e8ec", "#667085"
COLOURS = ("#c8102e", "#1f5fa8", "#0f7b6c", "#b36b00", "#7a3fa0")
SHAPES = ("o", "s", "^", "D", "v")


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure of so many inches at 150 dots each, that no window ever shows."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=150, layout="constrained")


def plain(axes: "Axes", *, title: str = "", x: str = "", y: str = "") -> None:
    """A light grid, no box; labels carry their units."""
    axes.set_title(title, loc="left", fontsize=10, color=INK)
    axes.set_xlabel(x, color=INK, fontsize=9)
    axes.set_ylabel(y, color=INK, fontsize=9)
    axes.grid(color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, colors=INK, labelsize=8.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#c3c8d0")


def heading(figure: "Figure", title: str, note: str = "") -> None:
    """The picture's title, and below it what one must know to read it."""
    import textwrap

    columns = int(figure.get_figwidth() * 15.5)
    lines = [part for line in note.splitlines() for part in textwrap.wrap(line, columns)]
    figure.suptitle(title, x=0.012, ha="left", fontsize=12, color=INK)
    if lines:
        text: dict[str, Any] = {"ha": "left", "fontsize": 8, "color": NOTE}
        figure.supxlabel("\n".join(lines), x=0.012, **text)


def as_png(figure: "Figure") -> bytes:
    """The PNG; the same picture gives the same bytes."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
