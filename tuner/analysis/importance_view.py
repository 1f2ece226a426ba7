"""What ``tuner importance`` shows: bars, or the same as JSON or CSV."""

import csv
import io

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tuner.analysis.importance import Evaluator, Importances, importances
from tuner.analysis.results import Results
from tuner.quantities import words
from tuner.showing import results_of
from tuner.storage.directory import StudyDirectory
from tuner.terminal import Format

BARS = {1: 32, 2: 16}
"""Columns of a whole bar by the number of objectives, in a terminal of 80."""

NARROW_BAR = 7

EIGHTHS = " ▏▎▍▌▋▊▉"
MEANING = {
    "fanova": "share in the variance of the objective over the whole space (fANOVA)",
    "ped-anova": "share in what makes the best tenth differ from the rest (PED-ANOVA)",
}


def show_importance(
    directory: StudyDirectory, evaluator: Evaluator, how: Format, console: Console
) -> None:
    """Print the importance of every parameter for every objective.

    Raises:
        ValueError: if the study has too few complete trials, or nothing that varies.
    """
    results = results_of(directory)
    found = importances(results, evaluator)
    if how == Format.json:
        console.print_json(data=_as_json(results, found, evaluator))
    elif how == Format.csv:
        console.out(_as_csv(found), highlight=False, end="")
    else:
        console.print(importance_table(results, found, evaluator))
        console.print(f"see how each weight acts: {directory.report}", soft_wrap=True, markup=False)


def importance_table(results: Results, found: Importances, evaluator: Evaluator) -> Table:
    """A line per parameter, the most important one for any objective first."""
    table = Table(
        box=None,
        pad_edge=False,
        title=f"Importance in {results.study.name}",
        title_justify="left",
        caption=f"Of {len(results.searched)} searched trials: {MEANING[evaluator]}. Few trials "
        "give rough shares; a parameter that was on in few of them more so.",
        caption_justify="left",
    )
    table.add_column("parameter", no_wrap=True)
    for metric in found:
        table.add_column(words(metric), no_wrap=True)
    for name in ordered(found):
        bars = (_bar(shares.get(name, 0.0), len(found)) for shares in found.values())
        table.add_row(Text(name), *bars)
    return table


def ordered(found: Importances) -> list[str]:
    """Parameters by their largest share for any objective."""
    names = {name for shares in found.values() for name in shares}
    return sorted(names, key=lambda n: (-max(s.get(n, 0.0) for s in found.values()), n))


def bar(share: float, width: int) -> str:
    """A bar of eighths of columns; ``share`` in [0, 1]."""
    eighths = round(share * width * 8)
    return ("█" * (eighths // 8) + EIGHTHS[eighths % 8]).strip()


def _bar(share: float, num_objectives: int) -> Text:
    text = Text(f"{100 * share:3.0f} % ")
    return text.append(bar(share, BARS.get(num_objectives, NARROW_BAR)), style="cyan")


def _as_json(results: Results, found: Importances, evaluator: Evaluator) -> dict[str, object]:
    return {
        "study": results.study.name,
        "evaluator": evaluator,
        "meaning": MEANING[evaluator],
        "trials": len(results.searched),
        "importances": found,
    }


def _as_csv(found: Importances) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["parameter", *found])
    for name in ordered(found):
        writer.writerow([name, *(shares.get(name, 0.0) for shares in found.values())])
    return text.getvalue()
