"""How the doctor's findings are written."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from tuner.doctor.facts import Finding


def show(findings: Sequence[Finding], console: Console) -> None:
    """A line each, then how many are wrong."""
    for finding in findings:
        console.print(line(finding), soft_wrap=True)
    wrong = sum(not finding.ok for finding in findings)
    console.print(f"{wrong} of {len(findings)} lines to see to" if wrong else "all is well")


def line(finding: Finding) -> Text:
    """``ok  check: text``, or ``!!  check: text -> remedy``."""
    mark = Text("ok  ", "green") if finding.ok else Text("!!  ", "bold red")
    advice = "" if finding.ok else f" -> {finding.remedy}"
    return mark + Text(f"{finding.check}: ", "bold") + Text(f"{finding.text}{advice}")


def as_rows(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """For programs."""
    return [{"check": f.check, "ok": f.ok, "text": f.text, "remedy": f.remedy} for f in findings]
