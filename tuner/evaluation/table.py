"""What was measured, as people read it in a terminal."""

from rich.table import Table
from rich.text import Text

from tuner.analysis.tables import plain_table
from tuner.evaluation.measuring import WORST, Evaluation, Row
from tuner.quantities import radius

BESIDE = 2
"""Up to so many radii, intervals stand beside their values; of more, below them."""


def accuracy_table(evaluation: Evaluation) -> Table:
    """A row per attack, a column per radius; the worst case last."""
    request = evaluation.request
    norm = {"linf": "Linf", "l2": "L2"}[request.threats[0].norm]
    table = plain_table(
        f"{evaluation.target.architecture}: accuracy in % on {evaluation.num_images} "
        f"{request.split} images of {evaluation.target.config.data.name}",
        caption=f"In brackets: Wilson 95 % intervals, n = {evaluation.num_images}; seed "
        f"{request.seed}. Worst case: an image counts if it holds against every row above.",
    )
    table.add_column("attack")
    for threat in request.threats:
        table.add_column(f"{norm} {radius(threat.epsilon)}", justify="right", no_wrap=True)
    clean, *rest = evaluation.rows
    gap = " " if len(request.threats) <= BESIDE else "\n"
    table.add_row("clean", *[_cell(clean, gap)] * len(request.threats))
    for name, cells in _by_attack(rest).items():
        if name == WORST:
            table.add_section()
        style = "bold" if name == WORST else ""
        table.add_row(Text(name, style), *(Text(_cell(row, gap), style) for row in cells))
    return table


def _by_attack(rows: list[Row]) -> dict[str, list[Row]]:
    """Rows of equal attack side by side, in the order of the radii."""
    attacks: dict[str, list[Row]] = {}
    for row in rows:
        name = f"  {row.name}" if row.inner else row.name
        attacks.setdefault(name, []).append(row)
    return {**attacks, WORST: attacks.pop(WORST)}


def _cell(row: Row, gap: str) -> str:
    low, high = row.accuracy.interval
    return f"{100 * row.accuracy.share:.1f}{gap}({100 * low:.1f}-{100 * high:.1f})"


def gates_table(evaluation: Evaluation) -> Table:
    """A row per gate: whether it held, and the numbers."""
    table = plain_table("Is the robustness real?")
    for heading in ("", "gate", "measured"):
        table.add_column(heading, no_wrap=not heading)
    for gate in evaluation.gates:
        mark = Text("ok  ", "green") if gate.passed else Text("NO  ", "bold red")
        table.add_row(mark, Text(f"{gate.name}  "), Text(gate.measured))
    return table
