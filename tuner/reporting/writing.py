"""What ``tuner report`` does."""

from pathlib import Path

from rich.console import Console

from tuner.analysis.results import Results
from tuner.exporting.doing import unwritable
from tuner.reporting.report import write_report
from tuner.running.session_facts import kept_facts
from tuner.showing import results_of
from tuner.storage.directory import StudyDirectory
from tuner.verification.html import verified_section


def write_and_show(directory: StudyDirectory, output: Path | None, console: Console) -> None:
    """Write a study's report as it stands now, and say where.

    Raises:
        ValueError: if ``output`` is a directory, or no HTML file.
        OSError: if it cannot be written.
    """
    path = output or directory.report
    if path.is_dir():
        raise ValueError(f"--output {path} is a directory; name a file in it: {path}/report.html")
    if path.suffix not in {".html", ".htm"}:
        raise ValueError(f"--output {path} must end in .html: the report is a page")
    results = results_of(directory)
    try:
        write_as_it_stands(directory, results, path)
    except OSError as error:
        raise unwritable(path, error) from error
    kilobytes = path.stat().st_size / 1e3
    console.print(f"report: {path} ({kilobytes:.0f} kB)", soft_wrap=True, markup=False)


def write_as_it_stands(
    directory: StudyDirectory, results: Results, path: Path | None = None
) -> Path:
    """Write a study's report with what is kept of its sessions and of its verification."""
    return write_report(
        results,
        path or directory.report,
        facts=kept_facts(directory),
        folder=directory.path,
        verification=verified_section(directory.path, results),
    )
