"""What ``tuner verify`` does: measure, show, write the report anew, tell MLflow."""

from rich.console import Console

from tuner.reporting.writing import write_as_it_stands
from tuner.showing import results_of
from tuner.storage.directory import StudyDirectory
from tuner.tracking.verification import log_verification
from tuner.verification.front import show_verification
from tuner.verification.measured import Verification
from tuner.verification.plan import Asked
from tuner.verification.session import verify


def verify_and_show(
    directory: StudyDirectory, asked: Asked, console: Console, address: str | None
) -> Verification:
    """Verify a study, from wherever an earlier attempt stopped; the last line names its report.

    Raises:
        ValueError: if there is nothing to verify, or another process is at it.
    """
    found = verify(directory, asked, console, address)
    show_verification(found, directory, console)
    report = write_as_it_stands(directory, results_of(directory))
    _log(found, directory, console)
    console.print(f"report: {report}", soft_wrap=True, markup=False)
    return found


def _log(found: Verification, directory: StudyDirectory, console: Console) -> None:
    """To MLflow, where the study has its runs there; a server that is away costs nothing."""
    try:
        count = log_verification(found, directory)
    except ConnectionError as error:
        console.print(f"not in MLflow: {error}", soft_wrap=True, markup=False)
        return
    if count:
        console.print(f"in MLflow: test/ metrics of {count} trials, verification/ of the study")
