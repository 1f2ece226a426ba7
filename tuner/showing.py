"""What the verbs that only look at studies do; without Ray, and without MLflow."""

from pathlib import Path

from rich.console import Console

from tuner.directory import StudyDirectory
from tuner.export import export_config
from tuner.gains import gains_table
from tuner.ledger import Ledger
from tuner.results import Results
from tuner.tables import front_table, studies_table
from tuner.verification import load_verification
from tuner.verification_picks import Numbers, choose


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


def export_pick(
    directory: StudyDirectory,
    pick: str,
    output: Path | None,
    console: Console,
    *,
    on: Numbers | None = None,
) -> None:
    """Write one config of a study, picked on verified numbers where there are any."""
    results = results_of(directory)
    chosen = choose(results, pick, load_verification(directory.path), on)
    record = chosen.record
    path = output or directory.path / "exported" / f"{slug(pick)}.yaml"
    export_config(results, f"trial:{record.number}", path)
    console.print(f"trial {record.number} ({record.pair}) is the pick {pick!r}")
    console.print(chosen.sentence, markup=False, soft_wrap=True)
    console.print(f"train it with: tuner train {path}", soft_wrap=True)


def slug(pick: str) -> str:
    """A pick as a file name: ``robust>=0.4`` becomes ``robust-at-least-0.4``."""
    return pick.replace(">=", "-at-least-").replace(">", "-above-").replace(":", "-")
