"""The verbs that look at studies, finished or not; heavy imports live inside them."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tuner.terminal import Format, Split, StudyName, console

Root = Annotated[str, typer.Argument(help="Folder of studies, or its URL.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
AnyFormat = Annotated[Format, typer.Option("--format", help="How it is printed.")]


class By(StrEnum):
    """What tells the trials of one study apart."""

    method = "method"
    student = "student"
    teacher = "teacher"


class EvaluatorName(StrEnum):
    """How importance is computed."""

    fanova = "fanova"
    ped_anova = "ped-anova"


def status(study: StudyName, as_json: AsJson = False) -> None:
    """Say where a study stands: what runs, what it cost, what failed, how long it will take."""
    from tuner.analysis import status as found
    from tuner.analysis.status_view import show_status
    from tuner.study_names import find_directory

    now = found.status_of(find_directory(study))
    if as_json:
        console.print_json(data=found.as_json(now))
    else:
        show_status(now, console)


def list_studies(root: Root = "runs", as_json: AsJson = False) -> None:
    """List the studies in a folder."""
    from tuner.showing import list_studies, list_studies_as_json

    if as_json:
        list_studies_as_json(root, console)
    else:
        list_studies(root, console)


def front(
    study: StudyName,
    how: AnyFormat = Format.table,
    split: Annotated[
        Split, typer.Option(help="test: the front as tuner verify measured it.")
    ] = Split.validation,
) -> None:
    """Show the Pareto front of a study, with its baselines."""
    from tuner.showing import print_front, show_front
    from tuner.study_names import find_directory
    from tuner.verification.front import print_verified_front, show_verified_front

    shows = {Split.validation: show_front, Split.test: show_verified_front}
    prints = {Split.validation: print_front, Split.test: print_verified_front}
    place = find_directory(study)
    if how == Format.table:
        shows[split](place, console)
    else:
        prints[split](place, how, console)


def compare(
    studies: Annotated[list[str], typer.Argument(help="Studies, as for any verb.")],
    by: Annotated[By | None, typer.Option(help="Compare parts of one study instead.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="The PNG, JSON beside it; default: runs/compare-….png.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
) -> None:
    """Lay fronts over each other, with hypervolumes from one reference and their intervals."""
    from tuner.analysis.comparing import compare_and_show
    from tuner.study_names import find_directory

    places = [find_directory(name) for name in studies]
    compare_and_show(places, by.value if by else None, output, console, seed=seed)


def importance(
    study: StudyName,
    evaluator: Annotated[
        EvaluatorName, typer.Option(help="Of the whole space, or of the best trials.")
    ] = EvaluatorName.fanova,
    how: AnyFormat = Format.table,
) -> None:
    """Say which parameter matters for which objective."""
    from tuner.analysis.importance_view import show_importance
    from tuner.study_names import find_directory

    show_importance(find_directory(study), evaluator.value, how, console)


def report(
    study: StudyName,
    output: Annotated[
        Path | None, typer.Option(help="The HTML file; default: report.html in the study.")
    ] = None,
) -> None:
    """Write the report: one page to read, send and print."""
    from tuner.reporting.writing import write_and_show
    from tuner.study_names import opened

    with opened(study) as place:
        write_and_show(place, output, console)
