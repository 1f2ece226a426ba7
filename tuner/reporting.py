"""What ``tuner report`` does."""

from pathlib import Path

from rich.console import Console

from tuner.directory import StudyDirectory
from tuner.report import write_report
from tuner.session_facts import kept_facts
from tuner.showing import results_of


def write_and_show(directory: StudyDirectory, output: Path | None, console: Console) -> None:
    """Write a study's report as it stands now, and say where.

    Raises:
        ValueError: if ``output`` is a directory.
    """
    path = output or directory.report
    if path.is_dir():
        raise ValueError(f"--output {path} is a directory; name a file in it: {path}/report.html")
    results, facts = results_of(directory), kept_facts(directory)
    write_report(results, path, facts=facts, folder=directory.path)
    console.print(f"report: {path} ({path.stat().st_size / 1e3:.0f} kB)", soft_wrap=True)
