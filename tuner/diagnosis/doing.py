"""What ``tuner diagnose`` does: measure one student, or correlate the trials of a study."""

import json
from fractions import Fraction
from pathlib import Path

from rich.console import Console

from trainables.diagnostics.sweep import refuse_impossible
from trainables.measuring.smoothing import SmoothingConfig
from tuner.diagnosis.correlations import (
    correlation_lines,
    correlation_png,
    correlation_table,
    gaps_and_robustness,
)
from tuner.diagnosis.measures import Diagnosis, Request, find_student, measure
from tuner.diagnosis.tables import as_json, diagnosis_tables
from tuner.pictures.diagnosis import pictures
from tuner.showing import results_of
from tuner.storage.atomic import write_atomically
from tuner.storage.directory import StudyDirectory

FOLDER = "diagnosis"


def as_request(
    teacher: tuple[str, Path | None],
    epsilon: str | None,
    split: str,
    images: int,
    *,
    sigma: float | None,
) -> Request:
    """What the command line says.

    Args:
        teacher: which one, and the folder of prepared ones.
        epsilon: radii, separated by commas, each a number or a fraction such as ``8/255``.
        split: ``validation`` or ``test``.
        images: how many of them.
        sigma: of the noise to certify with; None does not certify.

    Raises:
        ValueError: if a radius is no number in [0, 1], or sigma is not above 0.
    """
    radii = None if epsilon is None else tuple(_number(text) for text in epsilon.split(","))
    if radii is not None:
        refuse_impossible(radii)
    smoothing = None if sigma is None else SmoothingConfig(sigma=sigma)
    return Request(*teacher, radii, split, images, smoothing)


def _number(text: str) -> float:
    try:
        return float(Fraction(text.strip()))
    except (ValueError, ZeroDivisionError):
        raise ValueError(
            f"epsilon must be numbers or fractions in [0, 1], separated by commas, such as "
            f"0,0.1,8/255; got {text.strip()!r}"
        ) from None


def diagnose_target(target: Path, request: Request, output: Path | None, console: Console) -> None:
    """Diagnose a student or a study, whichever the target is; the last line names what to look at.

    Raises:
        ValueError: if the target is neither, or something asked for cannot be measured.
    """
    if (target / "study.yaml").is_file():
        _diagnose_study(StudyDirectory(target), output or target / FOLDER, console)
    else:
        _diagnose_student(target, request, output, console)


def _diagnose_student(
    target: Path, request: Request, output: Path | None, console: Console
) -> None:
    student = find_student(target)
    place = output or student.path.parent / FOLDER
    found = measure(student, request)
    for table in diagnosis_tables(found):
        console.print(table)
    write_atomically(place / "diagnosis.json", json.dumps(as_json(found), indent=2) + "\n")
    for name, content in pictures(found, request).items():
        write_atomically(place / name, content)
    _log_trial(found, place, console)
    console.print(f"numbers: {place / 'diagnosis.json'}", soft_wrap=True, markup=False)
    console.print(f"look at: {place / 'gaps.png'}", soft_wrap=True, markup=False)


def _diagnose_study(directory: StudyDirectory, place: Path, console: Console) -> None:
    results = results_of(directory)
    rows = gaps_and_robustness(results)
    console.print(correlation_table(results, rows))
    for line in correlation_lines(rows):
        console.print(line, soft_wrap=True, markup=False)
    write_atomically(
        place / "correlation.json", json.dumps([row.as_json() for row in rows], indent=2) + "\n"
    )
    picture = write_atomically(place / "correlation.png", correlation_png(results, rows))
    _log(directory, place, console, trial=None)
    console.print(f"look at: {picture}", soft_wrap=True)


def _log_trial(found: Diagnosis, place: Path, console: Console) -> None:
    """To MLflow, where the student is a trial of a study."""
    folder = found.student.path.parent.resolve()
    study = StudyDirectory(folder.parent.parent)
    if study.config.is_file() and folder.name.isdigit():
        _log(study, place, console, trial=int(folder.name))


def _log(directory: StudyDirectory, place: Path, console: Console, *, trial: int | None) -> None:
    from tuner.tracking.diagnosis import upload  # heavy, and most students are in no study

    try:
        run = upload(directory, place, trial)
    except ConnectionError as error:
        console.print(f"not in MLflow: {error}", soft_wrap=True, markup=False)
        return
    if run:
        console.print(f"in MLflow: {FOLDER}/ among the artifacts of run {run}", soft_wrap=True)
