"""What the verbs that only look at studies do; without Ray, and without MLflow."""

from pathlib import Path

from rich.console import Console

from tuner.directory import StudyDirectory
from tuner.gains import gains_table
from tuner.ledger import Ledger
from tuner.results import Results
from tuner.tables import front_table, studies_table


def show_results(results: Results, directory: StudyDirectory, console: Console) -> None:
    """The front as a table, what alignment buys, and the paths of everything written."""
    if not results.front:
        reasons = [record.reason for record in results.failed] or ["none has ended yet"]
        console.print(f"no trial completed: {reasons[0]}")
        console.print(f"report: {directory.report}", soft_wrap=True)
        return
    console.print(front_table(results))
    if results.baseline_gain:
        console.print(gains_table(results))
    for name, path in {
        "plot": directory.front / "front.png",
        "interactive": directory.front / "front.html",
        "configs": directory.front / "configs",
        "report": directory.report,
    }.items():
        console.print(f"{name + ':':<12} {path}", soft_wrap=True)


def list_studies(root: Path, console: Console) -> None:
    """A line per study in a folder."""
    found = [StudyDirectory(path.parent) for path in sorted(root.glob("*/study.yaml"))]
    if not found:
        raise ValueError(f"no study in {root}; start one with: tuner run digits")
    console.print(studies_table([results_of(directory) for directory in found]))
    console.print(f"look at one with: tuner front {found[0].path}")


def results_of(directory: StudyDirectory) -> Results:
    """What a study has come to so far.

    Raises:
        ValueError: if there is no study in the directory.
    """
    study = directory.study()
    return Results(study, Ledger(study, directory.path).records())


def show_front(directory: StudyDirectory, console: Console) -> None:
    """The front of a study, finished or not."""
    show_results(results_of(directory), directory, console)
