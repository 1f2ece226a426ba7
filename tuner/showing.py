"""What the verbs that only look at studies do; without Ray, and without MLflow."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from trainables.storage.urls import is_url
from tuner.analysis.results import Results
from tuner.analysis.tables import front_table, studies_table
from tuner.exporting.front import front_csv, front_json
from tuner.reporting.gains import gains_table
from tuner.storage.directory import StudyDirectory
from tuner.storage.ledger import read_records
from tuner.storage.working_copy import copies_in
from tuner.terminal import Format


def show_results(results: Results, directory: StudyDirectory, console: Console) -> None:
    """The front as a table, what alignment buys, and the paths of everything written."""
    if not results.front:
        ended = [*results.failed, *results.stopped]
        reasons = [f"trial {r.number} {r.state}: {r.reason}" for r in ended]
        why = (reasons or ["none has ended yet"])[0]
        console.print(f"no trial completed: {why}", soft_wrap=True, markup=False)
        show_places(directory, console)
        return
    console.print(front_table(results, console.width))
    if results.baseline_gain:
        console.print(gains_table(results))
    show_places(directory, console)


def places(directory: StudyDirectory) -> dict[str, Path]:
    """What a finished study left to look at, by name."""
    return {
        "plot": directory.front / "front.png",
        "interactive": directory.front / "front.html",
        "configs": directory.front / "configs",
        "report": directory.report,
    }


def show_places(directory: StudyDirectory, console: Console) -> None:
    """The paths of everything written that is there, or how to write it."""
    there = {name: path for name, path in places(directory).items() if path.exists()}
    for name, path in there.items():
        console.print(f"{name + ':':<12} {path}", soft_wrap=True, markup=False)
    if not there:
        console.print(f"write a page on it: tuner report {directory}", soft_wrap=True, markup=False)


def list_studies(root: str, console: Console) -> None:
    """A line per study in a folder."""
    readable, broken = _sorted_out(studies_in(root))
    if readable:
        folders = {path.name: results for path, results in readable.items()}
        console.print(studies_table(folders, console.width))
    for path, sentence in broken.items():
        named = sentence if str(path) in sentence else f"{StudyDirectory(path)}: {sentence}"
        console.print(f"not readable: {named}", soft_wrap=True, markup=False)
    if readable:
        first = next(iter(readable))
        console.print(
            f"look at one with: tuner front {StudyDirectory(first)}", soft_wrap=True, markup=False
        )


def _sorted_out(studies: Sequence[StudyDirectory]) -> tuple[dict[Path, Results], dict[Path, str]]:
    """Results of the studies that can be read, and why the others cannot, by directory."""
    readable, broken = {}, {}
    for directory in studies:
        try:
            readable[directory.path] = results_of(directory)
        except (ValueError, OSError) as error:
            broken[directory.path] = " ".join(str(error).split())
    return readable, broken


def list_studies_as_json(root: str, console: Console) -> None:
    """The studies in a folder, for programs."""
    readable, broken = _sorted_out(studies_in(root))
    rows = [_study_row(StudyDirectory(path), results) for path, results in readable.items()]
    unread = [
        {"directory": str(StudyDirectory(path)), "error": why} for path, why in broken.items()
    ]
    console.print_json(data=[*rows, *unread])


def studies_in(root: str) -> list[StudyDirectory]:
    """The studies in a folder, or at its URL, by the names of their directories.

    Raises:
        ValueError: if there is none.
        ConnectionError: if the URL's store does not answer.
    """
    if is_url(root):
        found = [StudyDirectory(copy.path) for copy in copies_in(root)]
    else:
        found = [StudyDirectory(path.parent) for path in sorted(Path(root).glob("*/study.yaml"))]
    if not found and StudyDirectory(Path(root)).config.is_file():
        raise ValueError(f"{root} is itself a study; look at it with: tuner status {root}")
    if not found:
        raise ValueError(f"no study in {root}; start one with: tuner run digits")
    return found


def _study_row(directory: StudyDirectory, results: Results) -> dict[str, object]:
    return {
        "study": results.study.name,
        "directory": str(directory),
        "description": results.study.description,
        "trials_asked": results.study.trials,
        "objectives": results.metrics,
        "knee": results.knee.number if results.complete else None,
        "running": directory.driver() is not None,
        **results.summary,
    }


def results_of(directory: StudyDirectory) -> Results:
    """What a study has come to so far.

    Raises:
        ValueError: if there is no study in the directory.
    """
    study = directory.study()
    return Results(study, read_records(study, directory.path))


def show_front(directory: StudyDirectory, console: Console) -> None:
    """The front of a study, finished or not."""
    show_results(results_of(directory), directory, console)


def print_front(directory: StudyDirectory, how: Format, console: Console) -> None:
    """The front as JSON or CSV on standard output, and nothing else."""
    results = results_of(directory)
    text = front_json(results) if how == Format.json else front_csv(results)
    console.out(text, highlight=False, end="")
