"""The front on the test split, as ``tuner verify`` left it."""

import json

from rich.console import Console

from tuner.showing import results_of
from tuner.storage.directory import StudyDirectory
from tuner.terminal import Format
from tuner.verification.files import verification_csv
from tuner.verification.measured import Verification, load_verification
from tuner.verification.table import (
    sentences,
    stale_sentence,
    verification_rows,
    verification_table,
)


def show_verification(found: Verification, directory: StudyDirectory, console: Console) -> None:
    """The verified front as a table, what follows from it, and where it is written."""
    if found.measured:
        console.print(verification_table(found))
    for sentence in sentences(found):
        console.print(sentence, markup=False, soft_wrap=True)
    folder = directory.path / "verification"
    console.print(
        f"numbers: {folder / 'verification.json'}, verification.csv", soft_wrap=True, markup=False
    )
    console.print(f"plot: {folder / 'verification.png'}", soft_wrap=True, markup=False)


def show_verified_front(directory: StudyDirectory, console: Console) -> None:
    """What ``tuner front --split test`` shows.

    Raises:
        ValueError: if the study was not verified.
    """
    found = _verified(directory)
    show_verification(found, directory, console)
    if stale := stale_sentence(found, results_of(directory)):
        console.print(f"note: {stale} {directory}", markup=False, soft_wrap=True)


def print_verified_front(directory: StudyDirectory, how: Format, console: Console) -> None:
    """The verified front as JSON or CSV on standard output, and nothing else.

    Raises:
        ValueError: if the study was not verified.
    """
    found = _verified(directory)
    text = (
        json.dumps(verification_rows(found), indent=2) + "\n"
        if how == Format.json
        else verification_csv(found)
    )
    console.out(text, highlight=False, end="")


def _verified(directory: StudyDirectory) -> Verification:
    found = load_verification(directory.path)
    if found is None:
        raise ValueError(
            f"the test split of study {directory} has not been opened; measure its front "
            f"there with: tuner verify {directory}"
        )
    return found
